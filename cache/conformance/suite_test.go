package conformance

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
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
	for _, name := range []string{"package.json", "package-lock.json", "origin.mjs", "report.mjs"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(s.dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	npm := exec.CommandContext(t.Context(), component.Command(t, "npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	npm.Dir = s.dir
	if out, err := npm.CombinedOutput(); err != nil {
		if regexp.MustCompile(`ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT`).Match(out) {
			component.Missing(t, "npm-registry", string(out))
		}
		t.Fatalf("%v\n%s", err, out)
	}
	var about struct{ Version string }
	text, err := os.ReadFile(s.path("package.json"))
	if err == nil {
		err = json.Unmarshal(text, &about)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.version = about.Version
	return s
}

func (s suite) path(name string) string {
	return filepath.Join(s.dir, "node_modules", "http-cache-tests", name)
}

// command runs a script of node as npm would, with the package's settings in its environment.
func (s suite) command(t *testing.T, script string, settings ...string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), s.node, "--no-warnings", script)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "npm_config_id=", "npm_package_config_id=")
	cmd.Env = append(cmd.Env, settings...)
	return cmd
}

// origin starts the suite's server, which answers each test as that wants it, for as long as the test.
func (s suite) origin(t *testing.T) *url.URL {
	t.Helper()
	cmd := s.command(t, "origin.mjs", "npm_config_protocol=http", "npm_config_port=0", "npm_config_pidfile="+os.DevNull)
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
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for lines.Scan() { // it warns of tests that never reached it, which the results say too
		}
		_ = cmd.Wait() // "signal: killed"
	}()
	t.Cleanup(func() { <-ended }) // the test's context has ended it
	addr, ok := strings.CutPrefix(lines.Text(), "Listening on ")
	origin, err := url.Parse(addr)
	if !ok || err != nil {
		_ = cmd.Process.Kill()
		<-ended
		t.Fatalf("the suite's server says %q\n%s", lines.Text(), &stderr)
	}
	return origin
}

// run holds what answers at base against the suite.
func (s suite) run(t *testing.T, base string) []row {
	t.Helper()
	cli := s.command(t, s.path("cli.mjs"), "npm_config_base="+base)
	cli.Stderr = t.Output()
	found, err := cli.Output()
	if err != nil {
		t.Fatal(err)
	}
	report := s.command(t, "report.mjs")
	report.Stdin, report.Stderr = bytes.NewReader(found), t.Output()
	text, err := report.Output()
	if err != nil {
		t.Fatal(err)
	}
	var rows []row
	if err := json.Unmarshal(text, &rows); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return rows
}
