// Package intercept stands for cmd/go/internal/web/intercept, as far as package auth uses it.
package intercept

import "net/http"

// Request is asked for by GOAUTH=git only.
func Request(*http.Request) { panic("GOAUTH=git is not tested here") }
