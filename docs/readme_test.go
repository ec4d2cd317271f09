package docs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"vitrine/e2e/component"
	"vitrine/e2e/markdown"
)

// TestReadmeExamples: README.md's Go code is the body of the packages' examples, which are compiled and whose output is
// compared.
func TestReadmeExamples(t *testing.T) {
	r := cloned(t)
	var want, got []string
	for _, example := range []struct{ dir, name string }{{"cache", "Example"}, {"telemetry", "Example"}, {"cache", "Example_observed"}} {
		want = append(want, exampleOf(t, filepath.Join(r.dir, example.dir, "example_test.go"), example.name))
	}
	for _, block := range markdown.Blocks(r.read(t, "README.md")) {
		if block.Language() == "go" {
			got = append(got, block.Text)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("README.md has\n%s\nand the examples are\n%s", strings.Join(got, "\n---\n"), strings.Join(want, "\n---\n"))
	}
}

// exampleOf is what stands between the braces of an example in a file.
func exampleOf(t *testing.T, file, name string) string {
	t.Helper()
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, file, source, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	for _, declaration := range parsed.Decls {
		if f, ok := declaration.(*ast.FuncDecl); ok && f.Name.Name == name {
			body := string(source[set.Position(f.Body.Lbrace).Offset+2 : set.Position(f.Body.Rbrace).Offset])
			if !strings.Contains(body, "// Output:\n") {
				t.Errorf("%s: the example's output is not compared", file)
			}
			return regexp.MustCompile(`(?m)^\t`).ReplaceAllString(body, "")
		}
	}
	t.Fatalf("%s has no func %s", file, name)
	return ""
}

// TestReadmeFigures: what README.md says was measured stands in docs/performance.md.
func TestReadmeFigures(t *testing.T) {
	r := cloned(t)
	figures := regexp.MustCompile(`(\d+\.\d+) ×`).FindAllStringSubmatch(r.read(t, "README.md"), -1)
	for _, m := range figures {
		if !strings.Contains(r.read(t, "docs/performance.md"), "| "+m[1]+" (") {
			t.Errorf("docs/performance.md has no figure %s", m[1])
		}
	}
	if len(figures) < 4 {
		t.Errorf("only %d figures were found", len(figures))
	}
}

// TestReadmeCommands runs README.md's commands in a fresh clone, in their order: those without Docker here, each compared with
// what stands beside it. Whoever runs another is named; a command that nobody knows is an error.
func TestReadmeCommands(t *testing.T) {
	r := cloned(t)
	document := r.read(t, "README.md")
	if m := regexp.MustCompile(`(?m)^    \S.*$`).FindString(fenced.ReplaceAllString(document, "")); m != "" {
		t.Errorf("README.md has code without a fence, which nobody looks at: %s", m)
	}
	blocks := markdown.Blocks(document)
	var s *started
	ran := 0
	for i, block := range blocks {
		switch block.Language() {
		case "go", "yaml", "text": // TestReadmeExamples, kubernetes/readme_test.go, and what is printed
			continue
		case "bash":
		default:
			t.Errorf("README.md, line %d: nobody knows a block of %q", block.Line, block.Info)
		}
		printed := ""
		for line := range strings.Lines(block.Text) {
			ran++
			switch command := strings.TrimSpace(line); {
			case command == "go run ./service":
				s = start(t, r.dir)
			case strings.HasPrefix(command, "curl "):
				if s == nil {
					t.Fatalf("README.md, line %d: nothing runs yet that could answer %s", block.Line, command)
				}
				printed += shell(t, r.dir, strings.ReplaceAll(command, "localhost:8080", s.address))
			case command == "go run ./service help", command == "go run ./service config":
				if out := shell(t, r.dir, command); !strings.Contains(out, "VITRINE_ADDR") {
					t.Errorf("%s prints\n%s", command, out)
				}
			case command == "make test", command == "make e2e":
				if ci := r.read(t, ".ci/run"); !strings.Contains(ci, "\n"+command+"\n") {
					t.Errorf(".ci/run does not run %s", command)
				}
			case command == "docker compose up --build --wait":
				// TestStartCommand, in e2e, shows that this is how its TestMain starts the stack.
				if !strings.Contains(r.read(t, "e2e/tour_test.go"), fmt.Sprintf("%q", command)) {
					t.Errorf("e2e does not run %s", command)
				}
			default:
				t.Errorf("README.md, line %d: nobody runs %s", block.Line, command)
			}
		}
		if i+1 < len(blocks) && blocks[i+1].Language() == "text" && !markdown.Matches(blocks[i+1].Text, printed) {
			t.Errorf("README.md, line %d: it prints\n%swant\n%s", block.Line, printed, blocks[i+1].Text)
		}
	}
	if ran < 6 {
		t.Errorf("README.md has %d commands", ran)
	}
}

// shell runs a command as a reader would, and returns what it prints.
func shell(t *testing.T, dir, command string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), component.Command(t, "bash"), "-c", command)
	cmd.Dir, cmd.Stderr, cmd.Env = dir, os.Stderr, environment()
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("%s: %v", command, err)
	}
	return string(out)
}

// environment is this process', with paths kept out of what is built: each clone would leave another program of the same
// source in Go's build cache.
func environment() []string {
	return append(os.Environ(), "GOFLAGS="+strings.TrimSpace(os.Getenv("GOFLAGS")+" -trimpath"))
}

// started is the program, at an address of its own.
type started struct{ address string }

// start has the program run in dir, and waits until it is ready.
func start(t *testing.T, dir string) *started {
	t.Helper()
	component.Command(t, "curl")
	public, ops := freeAddress(t), freeAddress(t)
	var logs bytes.Buffer
	cmd := exec.Command(component.Command(t, "go"), "run", "./service")
	cmd.Dir, cmd.Stderr = dir, &logs
	cmd.Env = append(environment(), "VITRINE_ADDR="+public, "VITRINE_OPS_ADDR="+ops)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // go run does not hand on a signal: its child gets it, too
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) // it may have ended
		<-ended
	})
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute) // it is built first
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if res, err := http.Get("http://" + ops + "/readyz"); err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return &started{public}
			}
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("go run ./service: %v\n%s", err, &logs)
		case <-ctx.Done():
			t.Fatal("go run ./service does not become ready")
		case <-tick.C:
		}
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestDependencies: docs/design.md has each direct dependency of go.mod, and no other.
func TestDependencies(t *testing.T) {
	r := cloned(t)
	cmd := exec.Command(component.Command(t, "go"), "mod", "edit", "-json")
	cmd.Dir = r.dir
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var module struct {
		Require []struct {
			Path     string
			Indirect bool
		}
	}
	if err := json.Unmarshal(out, &module); err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(r.read(t, "docs/design.md"), "\n## Direct dependencies\n")
	if !found {
		t.Fatal("docs/design.md has no direct dependencies")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var want, got []string
	for _, required := range module.Require {
		if !required.Indirect {
			want = append(want, strings.TrimPrefix(required.Path, "github.com/"))
		}
	}
	for _, row := range regexp.MustCompile(`(?m)^\| (.*?) \| (.*?) \|$`).FindAllStringSubmatch(section, -1) {
		for _, m := range inline.FindAllStringSubmatch(row[1], -1) {
			got = append(got, m[1])
		}
		if row[2] == "" {
			t.Errorf("docs/design.md does not say why of %s", row[1])
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("docs/design.md has\n%s\nand go.mod\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
