// Auth asks a GOAUTH command for credentials with cmd/go's own code, and prints the Authorization
// that go would send: first for the request, then for the one that follows a refusal.
//
// Usage: auth GOAUTH STATUS URL. STATUS is what the server answers to the first request; 200 makes
// no second one. Each line of output is a header, or empty where there is none.
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"

	"oracle/cfg"
	auth "oracle/cmdauth"
)

func main() {
	cfg.GOAUTH = os.Args[1]
	cfg.BuildX = true
	status, err := strconv.Atoi(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	url := os.Args[3]
	ask(url, nil)
	if status != http.StatusOK {
		ask(url, &http.Response{
			Proto:  "HTTP/2.0",
			Status: os.Args[2] + " " + http.StatusText(status),
			Header: http.Header{
				"Www-Authenticate": {`Basic realm="a"`, "Bearer"},
				"Date":             {"Thu, 01 Jan 1970 00:00:00 GMT"},
			},
		})
	}
}

func ask(url string, refusal *http.Response) {
	request, err := http.NewRequest("GET", url, nil)
	if err != nil {
		log.Fatal(err)
	}
	refused := ""
	if refusal != nil {
		refused = url
	}
	auth.AddCredentials(http.DefaultClient, request, refusal, refused)
	fmt.Println(strings.Join(request.Header.Values("Authorization"), "|"))
}
