package main

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"vitrine/e2e/component"
)

// startOnTerminal runs the program as start does, with a terminal for its log, and returns what that shows, line by line.
func startOnTerminal(t *testing.T, env map[string]string) (p *program, next func() string) {
	t.Helper()
	screen, terminal := component.Terminal(t)
	p = startLogging(t, env, terminal)
	if err := screen.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(screen)
	return p, func() string {
		t.Helper()
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimRight(line, "\r\n")
	}
}

// TestTerminal: the start says where to look, each address can be opened, and nothing else comes until there is a request.
func TestTerminal(t *testing.T) {
	for _, test := range []struct{ addr, noColour string }{{":0", "1"}, {"127.0.0.1:0", ""}, {"[::1]:0", "1"}} {
		t.Run(test.addr, func(t *testing.T) {
			t.Setenv("NO_COLOR", test.noColour)
			p, next := startOnTerminal(t, map[string]string{"VITRINE_ADDR": test.addr, "VITRINE_OPS_ADDR": test.addr})
			var shown []string
			want := banner(p.publicAt.Addr(), p.opsAt.Addr(), test.noColour == "")
			for range strings.Lines(want) {
				shown = append(shown, next())
			}
			if got := strings.Join(shown, "\n") + "\n"; got != want {
				t.Errorf("%q, want %q", got, want)
			}
			addresses := 0
			for _, line := range shown {
				if _, address, ok := strings.Cut(line, "http://"); ok {
					get(t, "http://"+address).want(t, http.StatusOK, "text/")
					addresses++
				}
			}
			if line := next(); addresses != 4 || !strings.Contains(line, "request") {
				t.Errorf("after %d addresses comes %q, want the page's request", addresses, line)
			}
		})
	}
}

// TestTerminalShows: what the configuration asks for, and whatever is wrong.
func TestTerminalShows(t *testing.T) {
	t.Setenv("NO_COLOR", "1")
	const degraded = "WRN degraded: redis does not answer"
	for _, test := range []struct {
		desc  string
		env   map[string]string
		first string // in the first line; the banner's is empty
		later string // in one of those that follow
	}{
		{"JSON", map[string]string{"VITRINE_LOG_FORMAT": "json"}, `"msg":"serving"`, ""},
		{"text", map[string]string{"VITRINE_LOG_FORMAT": "text"}, "", "/metrics"},
		{"debug", map[string]string{"VITRINE_LOG_LEVEL": "debug"}, "", "DBG serving"},
		{"Redis", map[string]string{"VITRINE_CACHE": "tiered", "VITRINE_REDIS_URL": "redis://" + miniredis.RunT(t).Addr(), "VITRINE_LOG_LEVEL": "debug"},
			"", "DBG redis answers"},
		{"no Redis", map[string]string{"VITRINE_CACHE": "tiered", "VITRINE_REDIS_URL": "redis://127.0.0.1:1"}, "", degraded},
		{"warn", map[string]string{"VITRINE_CACHE": "tiered", "VITRINE_REDIS_URL": "redis://127.0.0.1:1", "VITRINE_LOG_LEVEL": "warn"}, degraded, ""},
	} {
		t.Run(test.desc, func(t *testing.T) {
			_, next := startOnTerminal(t, test.env)
			if line := next(); test.first == "" && line != "" || !strings.Contains(line, test.first) {
				t.Errorf("the first line is %q, want %q", line, test.first)
			}
			for test.later != "" && !strings.Contains(next(), test.later) {
			}
		})
	}
}
