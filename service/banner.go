package main

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strings"

	"golang.org/x/term"

	"vitrine/telemetry"
)

// greet tells people at a terminal where to look. It returns the level at which the start is logged: they have read what
// there is to know.
func (s *server) greet() slog.Level {
	file, ok := s.logs.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) || s.cfg.logFormat == telemetry.FormatJSON || s.cfg.logLevel > slog.LevelInfo {
		return slog.LevelInfo
	}
	_, _ = io.WriteString(file, banner(s.publicAt.Addr(), s.opsAt.Addr(), os.Getenv("NO_COLOR") == "")) // a terminal that is gone
	return slog.LevelDebug
}

// banner is the addresses to open, one a line.
func banner(public, ops net.Addr, colour bool) string {
	bold, faint, plain := "\x1b[1m", "\x1b[2m", "\x1b[0m"
	if !colour {
		bold, faint, plain = "", "", ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n  %sVitrine%s %s\n\n", bold, plain, version())
	for _, line := range []struct {
		what string
		at   net.Addr
		path string
	}{
		{"page", public, "/"},
		{"caches", ops, "/debug/cache"},
		{"traces", ops, "/debug/tracez"},
		{"metrics", ops, "/metrics"},
	} {
		fmt.Fprintf(&b, "  %s%-8s%s  %s\n", faint, line.what, plain, address(line.at.String(), "localhost", line.path))
	}
	b.WriteByte('\n')
	return b.String()
}

// address is the URL of a path at host:port. local stands where the host is every address of this machine, which nobody
// can open.
func address(hostport, local, path string) string {
	host, port, _ := net.SplitHostPort(hostport) // a listener's, or one that checkAddr has seen
	if host == "" || net.ParseIP(host).IsUnspecified() {
		host = local
	}
	return (&url.URL{Scheme: "http", Host: net.JoinHostPort(host, port), Path: path}).String()
}
