//go:build e2e

package e2e

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"vitrine/e2e/markdown"
	"vitrine/e2e/stack"
)

// start is the command by which README.md and the tour have the stack started. TestMain runs it.
const start = "docker compose up --build --wait"

// TestTour does what docs/tour.md says, block by block in one shell, and compares what is printed with what stands there.
// A block whose info string says "again" is what a reader may repeat until the stack has caught up.
func TestTour(t *testing.T) {
	text, err := os.ReadFile("../docs/tour.md")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		if _, err := running.Compose(ctx, "start", "redis"); err != nil { // the tour kills it
			t.Error(err)
		}
		if err := stack.Within(ctx, time.Minute, func() error { return running.Serving(ctx, 3) }); err != nil {
			t.Error(err)
		}
	})
	sh := newShell(t)
	blocks := markdown.Blocks(string(text))
	ran := 0
	for i, block := range blocks {
		if block.Language() != "bash" || strings.TrimSpace(block.Text) == start {
			continue
		}
		ran++
		check := func() error {
			got, err := sh.run(block.Text)
			if err != nil {
				return err
			}
			if i+1 < len(blocks) && blocks[i+1].Language() == "text" && !markdown.Matches(blocks[i+1].Text, got) {
				err = fmt.Errorf("it prints\n%swant\n%s", got, blocks[i+1].Text)
			}
			return err
		}
		if block.Info == "bash again" {
			err = stack.Within(t.Context(), time.Minute, check)
		} else {
			err = check()
		}
		if err != nil {
			t.Fatalf("docs/tour.md, line %d:\n%s%v", block.Line, block.Text, err)
		}
	}
	if ran < 20 {
		t.Errorf("the tour has %d blocks", ran)
	}
}

// TestStartCommand: TestMain starts the stack by the very command that the documents name, but for what only a test wants:
// a project and a time-out of its own, and no service whose image cannot be had.
func TestStartCommand(t *testing.T) {
	for _, document := range []string{"../README.md", "../docs/tour.md"} {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(markdown.Blocks(string(text)), func(b markdown.Block) bool { return strings.Contains("\n"+b.Text, "\n"+start+"\n") }) {
			t.Errorf("%s does not say %s", document, start)
		}
	}
	var words []string
	args := upCommand().Args
	for i := 0; i < len(args); i++ {
		switch word := args[i]; {
		case word == "--project-name", word == "--wait-timeout":
			i++
		case word == "--detach", slices.Contains(services, word):
		default:
			words = append(words, word)
		}
	}
	if got := strings.Join(words, " "); got != start {
		t.Errorf("TestMain runs %s", got)
	}
}

// shell runs scripts, one after the other, in one bash: what one sets, the next has.
type shell struct {
	dir   string
	stdin io.Writer
	lines *bufio.Reader
}

func newShell(t *testing.T) *shell {
	t.Helper()
	cmd := exec.Command("bash", "--noprofile", "--norc")
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), "COMPOSE_PROJECT_NAME="+project) // the ports are there: freePorts has set them
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Wait() // its status is that of the last script's last command
	})
	return &shell{t.TempDir(), stdin, bufio.NewReader(stdout)}
}

// run returns what a script prints. Its status counts for nothing: a grep that finds nothing is seen by what is printed.
func (s *shell) run(script string) (string, error) {
	const end = "-- end of the script --"
	file := filepath.Join(s.dir, "script")
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		return "", err
	}
	if _, err := fmt.Fprintf(s.stdin, "source %q </dev/null; echo %q\n", file, end); err != nil {
		return "", err
	}
	var printed strings.Builder
	for {
		line, err := s.lines.ReadString('\n')
		if before, ok := strings.CutSuffix(line, end+"\n"); ok {
			printed.WriteString(before)
			return printed.String(), nil
		}
		printed.WriteString(line)
		if errors.Is(err, io.EOF) {
			return printed.String(), errors.New("the shell has ended")
		} else if err != nil {
			return printed.String(), err
		}
	}
}
