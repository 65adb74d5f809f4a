// Rules answers questions about proxies, NO_PROXY, GOPRIVATE and the paths of module proxies with Go's own code.
//
// A question is a line: its kind, then its values, separated by U+001F. The answer is a line:
// true, false, or malformed; for a path the path that go sends, or invalid; for a proxy see proxyOf.
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
		case values[0] == "proxy" && len(values) == len(variables)+2:
			fmt.Fprintln(answers, proxyOf(values[1], values[2:]))
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

// variables are those that x/net reads. A question tells each of them.
var variables = []string{
	"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "REQUEST_METHOD",
}

// proxyOf returns the proxy of a URL in an environment: direct, error, or its scheme, host, port,
// user and password.
func proxyOf(target string, environment []string) string {
	for i, name := range variables {
		if err := os.Setenv(name, environment[i]); err != nil {
			log.Fatal(err)
		}
	}
	asked, err := url.Parse(target)
	if err != nil {
		log.Fatal(err)
	}
	proxy, err := httpproxy.FromEnvironment().ProxyFunc()(asked)
	if err != nil {
		return "error"
	}
	if proxy == nil {
		return "direct"
	}
	user := "-"
	if proxy.User != nil {
		password, _ := proxy.User.Password()
		user = "+" + proxy.User.Username() + "\x1f" + password
	}
	parts := []string{proxy.Scheme, proxy.Hostname(), proxy.Port(), user}
	line := strings.NewReplacer("\n", "\\n", "\r", "\\r").Replace(strings.Join(parts, "\x1f"))
	return strings.ToValidUTF8(line, "\uFFFD")
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
