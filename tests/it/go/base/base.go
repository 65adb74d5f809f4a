// Package base stands for cmd/go/internal/base, as far as package auth uses it.
package base

import "log"

// Fatalf ends the program, as go does on a GOAUTH that it cannot read.
func Fatalf(format string, values ...any) { log.Fatalf(format, values...) }

// AcquireNet is asked for by GOAUTH=git only.
func AcquireNet() (func(), error) { panic("GOAUTH=git is not tested here") }
