package conformance

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"vitrine/e2e/component"
)

// suite is the installed test suite.
type suite struct {
	dir, node, version string
}

// row is one of its tests and what became of it.
type row struct {
	Section, ID, Name string
	Kind              string // required, optimal or check
	Verdict           string // pass, fail, yes, no, setup, dependency, retry, harness or untested
	Detail            string // what the suite says of one that did not pass
}

func install(t *testing.T) suite {
	t.Helper()
	s := suite{dir: t.TempDir(), node: component.Command(t, "node")}
	for _, name := range []string{"package.json", "package-lock.json", "origin.mjs", "run.mjs"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(s.dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	component.NPM(t, s.dir)
	var about struct{ Version string }
	text, err := os.ReadFile(filepath.Join(s.dir, "node_modules", "http-cache-tests", "package.json"))
	if err == nil {
		err = json.Unmarshal(text, &about)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.version = about.Version
	return s
}

func (s suite) script(t *testing.T, name string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), s.node, name)
	cmd.Dir = s.dir
	return cmd
}

// origin starts the suite's server, which answers each test as that wants it, for as long as the test.
func (s suite) origin(t *testing.T) *url.URL {
	t.Helper()
	cmd := s.script(t, "origin.mjs")
	cmd.Env = append(os.Environ(), "npm_config_protocol=http", "npm_config_port=0", "npm_config_pidfile="+os.DevNull)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Scan()
	addr, ok := strings.CutPrefix(lines.Text(), "Listening on ")
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for lines.Scan() { // it warns of tests that never reached it, which the results say too
		}
		_ = cmd.Wait() // "signal: killed"
	}()
	t.Cleanup(func() { <-ended }) // the test's context has ended it
	origin, err := url.Parse(addr)
	if !ok || err != nil {
		_ = cmd.Process.Kill()
		<-ended
		t.Fatalf("the suite's server says %q\n%s", addr, &stderr)
	}
	return origin
}

// run holds what answers at base against the suite, which counts in seconds: where an answer takes half of one, on a machine that has
// other things to do, things get old too early. Then what is not as it is known is run again, but for what is required and fails:
// no delay makes anything fresh.
func (s suite) run(t *testing.T, base string, known []row) []row {
	t.Helper()
	var state struct {
		Base    string                     `json:"base"`
		Again   []string                   `json:"again"`
		Found   map[string]json.RawMessage `json:"found"`
		Slowest float64                    `json:"slowest"`
		Rows    []row                      `json:"rows"`
	}
	state.Base = base
	for tries := 1; ; tries++ {
		in, err := json.Marshal(state)
		if err != nil {
			t.Fatal(err)
		}
		cmd := s.script(t, "run.mjs")
		cmd.Stdin, cmd.Stderr = bytes.NewReader(in), t.Output()
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(out, &state); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		state.Again = nil
		for _, r := range state.Rows {
			if k := find(known, r.ID); k.Verdict != r.Verdict && (r.Kind != "required" || r.Verdict != "fail") {
				state.Again = append(state.Again, r.ID)
			}
		}
		if len(known) == 0 || len(state.Again) == 0 || state.Slowest < 500 || tries == 4 {
			return state.Rows
		}
		t.Logf("an answer took %.0f ms; run again: %v", state.Slowest, state.Again)
	}
}
