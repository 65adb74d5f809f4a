// Put into cmd/go/internal/auth by `go test -overlay`, which reaches the real parser without a copy of it.

package auth

import (
	"cmd/go/internal/cfg"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// TestGocredCorpus prints what go sends to two URLs, for each file of a folder.
func TestGocredCorpus(t *testing.T) {
	files, err := os.ReadDir(os.Getenv("GOCRED_CORPUS"))
	if err != nil {
		t.Fatal(err)
	}
	cfg.GOAUTH = "netrc"
	for _, file := range files {
		data, err := os.ReadFile(filepath.Join(os.Getenv("GOCRED_CORPUS"), file.Name()))
		if err != nil {
			t.Fatal(err)
		}
		credentialCache = sync.Map{}
		readNetrc = func() ([]netrcLine, error) { return parseNetrc(string(data)), nil }
		runGoAuth(nil, nil, "")
		for _, host := range []string{"h.test", "h.test:8443"} {
			req := &http.Request{Header: make(http.Header)}
			loadCredential(req, "https://"+host+"/a/b")
			sent := strings.TrimPrefix(req.Header.Get("Authorization"), "Basic ")
			if _, err := base64.StdEncoding.DecodeString(sent); err != nil {
				t.Fatal(err)
			}
			fmt.Printf("gocred\t%s\t%s\t%s\n", file.Name(), host, sent)
		}
	}
}
