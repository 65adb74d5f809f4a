// Rules answers questions about NO_PROXY, GOPRIVATE and the paths of module proxies with Go's own code.
//
// A question is a line: its kind, then its values, separated by U+001F. The answer is a line:
// true, false, or malformed; for a path the path that go sends, or invalid.
package main

import (
	"bufio"
	"fmt"
	"log"
	"net"
	"net/url"
	"os"
	"path"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/net/http/httpproxy"
)

func main() {
	questions := bufio.NewScanner(os.Stdin)
	answers := bufio.NewWriter(os.Stdout)
	defer answers.Flush()
	for questions.Scan() {
		values := strings.Split(questions.Text(), "\x1f")
		switch {
		case values[0] == "glob" && len(values) == 3:
			matched, err := path.Match(values[1], values[2])
			if err != nil {
				fmt.Fprintln(answers, "malformed")
				continue
			}
			fmt.Fprintln(answers, matched)
		case values[0] == "info" && len(values) == 3:
			fmt.Fprintln(answers, infoPath(values[1], values[2]))
		case values[0] == "noproxy" && len(values) == 4:
			fmt.Fprintln(answers, isDirect(values[1], values[2], values[3]))
		case values[0] == "pattern" && len(values) == 3:
			fmt.Fprintln(answers, module.MatchPrefixPatterns(values[1], values[2]))
		default:
			log.Fatalf("not a question: %q", values)
		}
	}
	if err := questions.Err(); err != nil {
		log.Fatal(err)
	}
}

func isDirect(list, host, port string) bool {
	config := httpproxy.Config{HTTPSProxy: "http://proxy.invalid:1", NoProxy: list}
	proxy, err := config.ProxyFunc()(&url.URL{Scheme: "https", Host: net.JoinHostPort(host, port)})
	if err != nil {
		log.Fatal(err)
	}
	return proxy == nil
}

// infoPath returns the path of a .info, as modfetch sends it to a proxy.
func infoPath(path, version string) string {
	path, err := module.EscapePath(path)
	if err != nil {
		return "invalid"
	}
	version, err = module.EscapeVersion(version)
	if err != nil {
		return "invalid"
	}
	sent := url.PathEscape(path + "/@v/" + version + ".info")
	return "/" + strings.ReplaceAll(sent, "%2F", "/")
}
