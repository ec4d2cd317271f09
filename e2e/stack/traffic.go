package stack

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// Traffic is load/steady.js at work: k6, in a container of its own on the network of those who visit the site.
type Traffic struct {
	stack *Stack
	name  string // of the container
	cmd   *exec.Cmd
	out   bytes.Buffer
	read  chan struct{} // closed when stderr has ended
	began chan struct{} // closed with the first request

	mu       sync.Mutex
	waiting  map[int64]string // for longer than steady.js thinks usual: their paths
	failures []Failure
	notes    []string // what k6 and Compose say themselves
}

// Figures are what users got.
type Figures struct {
	Requests   int
	Failed     int
	Unfinished int // under way when the traffic was stopped, and none of them for long
	// Dropped were to be begun, and k6 had nobody left to begin them: no failure of the site's.
	Dropped   int
	All, Hits Times
	Failures  []Failure
}

// Times are milliseconds from the wish to the last byte.
type Times struct{ P50, P95, P99, Max float64 }

// Failure is a request without a good answer.
type Failure struct {
	At     time.Time // of its end
	Path   string
	Status int // 0: none came
	Code   int // k6's, of the error
	Error  string
	Took   float64 // milliseconds
}

func (f Failure) String() string {
	return fmt.Sprintf("%s %s: status %d, code %d, %q after %.0f ms", f.At.Format("15:04:05.000"), f.Path, f.Status, f.Code, f.Error, f.Took)
}

// Traffic begins to ask so many times a second, and returns once it does.
func (s *Stack) Traffic(ctx context.Context, perSecond int) (*Traffic, error) {
	t := &Traffic{
		stack: s, name: fmt.Sprintf("%s-steady-%d", s.Project, time.Now().UnixNano()),
		read: make(chan struct{}), began: make(chan struct{}), waiting: map[int64]string{},
	}
	t.cmd = s.Command(ctx, "run", "--rm", "--no-deps", "-T", "--name", t.name, "-e", fmt.Sprintf("RATE=%d", perSecond), "load",
		"run", "--quiet", "--no-usage-report", "--no-thresholds", "--log-format=raw", "/load/steady.js")
	t.cmd.Stdout = &t.out
	stderr, err := t.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := t.cmd.Start(); err != nil {
		return nil, err
	}
	go t.listen(stderr)
	select {
	case <-t.began:
		return t, nil
	case <-t.read:
		err = errors.New("it ended")
	case <-time.After(time.Minute):
		err = errors.New("it does not begin")
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	return nil, fmt.Errorf("k6: %w", errors.Join(err, t.remove(ctx), t.said()))
}

// listen reads the lines of JSON that steady.js writes.
func (t *Traffic) listen(stderr io.Reader) {
	defer close(t.read)
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		var line struct {
			Event string
			Which int64
			Failure
		}
		t.mu.Lock()
		if json.Unmarshal(lines.Bytes(), &line) != nil {
			t.notes = append(t.notes, lines.Text())
		}
		switch line.Event {
		case "begins":
			close(t.began)
		case "waits":
			t.waiting[line.Which] = line.Path
		case "waited":
			delete(t.waiting, line.Which)
		case "failed":
			t.failures = append(t.failures, line.Failure)
		}
		t.mu.Unlock()
	}
}

// Stop waits until nobody has waited for long any more, ends the traffic, and tells how it went.
func (t *Traffic) Stop(ctx context.Context) (f Figures, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("k6: %w", errors.Join(err, t.remove(ctx), t.said()))
		}
	}()
	// steady.js loses patience before that.
	if err := Within(ctx, 90*time.Second, func() error {
		t.mu.Lock()
		defer t.mu.Unlock()
		if len(t.waiting) > 0 {
			return fmt.Errorf("requests still wait: %v", t.waiting)
		}
		return nil
	}); err != nil {
		return f, err
	}
	if _, err := t.stack.Docker(ctx, "kill", "--signal", "INT", t.name); err != nil {
		return f, err
	}
	<-t.read
	_ = t.cmd.Wait() // k6 calls an interrupt an error
	if err := json.Unmarshal(t.out.Bytes(), &f); err != nil {
		return f, fmt.Errorf("its summary: %w", err)
	}
	if f.Failed > len(t.failures) {
		return f, fmt.Errorf("it counts %d failures and names %d", f.Failed, len(t.failures))
	}
	f.Failures = t.failures[:f.Failed] // k6 itself broke off what comes after
	return f, nil
}

// Abandon ends the traffic, whatever has become of it.
func (t *Traffic) Abandon(ctx context.Context) { _ = t.remove(ctx) }

func (t *Traffic) remove(ctx context.Context) error {
	_, err := t.stack.Docker(context.WithoutCancel(ctx), "rm", "--force", t.name)
	<-t.read
	_ = t.cmd.Wait() // it was killed
	return err
}

// said is what k6 and Compose wrote for people.
func (t *Traffic) said() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return errors.New(strings.Join(t.notes, "\n"))
}
