// The programs that ask Go's own code. tests/it/support/oracle.rs copies them and, from the Go tree
// that is there, the packages that they import; nothing is downloaded.
module oracle

go 1.24

require (
	golang.org/x/mod v0.0.0
	golang.org/x/net v0.0.0
	golang.org/x/text v0.0.0
)

replace (
	golang.org/x/mod => ./x/mod
	golang.org/x/net => ./x/net
	golang.org/x/text => ./x/text
)
