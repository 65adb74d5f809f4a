// Package cfg stands for cmd/go/internal/cfg, as far as package auth uses it.
package cfg

var (
	// GOAUTH is the variable of that name.
	GOAUTH string
	// BuildX is go's flag -x: say what went wrong with a GOAUTH command.
	BuildX bool
)
