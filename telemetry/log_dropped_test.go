package telemetry_test

import (
	"errors"
	"io"
	"os"
	"sync"
	"testing"

	"vitrine/telemetry"
)

// failing is a writer that fails while err is set.
type failing struct {
	mu      sync.Mutex
	err     error
	written int
}

func (f *failing) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return len(p) / 2, f.err
	}
	f.written++
	return len(p), nil
}

func (f *failing) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

func dropped(t *testing.T, tel *telemetry.Telemetry, reason string) float64 {
	t.Helper()
	m := metric(t, tel.Registry, "log_records_dropped_total", map[string]string{"reason": reason})
	if m == nil {
		t.Fatalf("nothing is counted for %s", reason)
	}
	return m.GetCounter().GetValue()
}

// TestLogCannotBeWritten: each record that is lost is counted, whichever way it takes through the handlers.
func TestLogCannotBeWritten(t *testing.T) {
	for _, format := range []telemetry.Format{telemetry.FormatJSON, telemetry.FormatText} {
		clearEnv(t, nil)
		w := new(failing)
		tel, err := telemetry.Setup(t.Context(), telemetry.Options{Logs: w, LogFormat: format})
		if err != nil {
			t.Fatal(err)
		}
		ctx, _ := started(t, tel)
		grouped := tel.Logger.WithGroup("g").With("a", 1)
		say := func() {
			tel.Logger.Info("plain")
			tel.Logger.With("a", 1).Warn("with an attribute")
			tel.Logger.ErrorContext(ctx, "in a span")
			grouped.Info("in a group")
			grouped.InfoContext(ctx, "in a group, in a span")
			tel.Logger.Debug("too low to be lost")
		}
		if say(); dropped(t, tel, "write") != 0 || dropped(t, tel, "sampled") != 0 || w.written != 5 {
			t.Errorf("format %d: %d written, %v lost; want 5 and none", format, w.written, dropped(t, tel, "write"))
		}
		w.fail(errors.New("no space left on device"))
		var wait sync.WaitGroup
		for range 8 {
			wait.Go(say)
		}
		wait.Wait()
		if n := dropped(t, tel, "write"); n != 40 {
			t.Errorf("format %d: %v lost, want 40", format, n)
		}
		w.fail(nil)
		if say(); dropped(t, tel, "write") != 40 || dropped(t, tel, "sampled") != 0 || w.written != 10 {
			t.Errorf("format %d: %d written, %v lost; want 10 and 40", format, w.written, dropped(t, tel, "write"))
		}
	}
}

// TestLogFiles: what an operating system has to say.
func TestLogFiles(t *testing.T) {
	for _, test := range []struct {
		desc string
		open func(*testing.T) io.Writer
	}{
		{"full disk", func(t *testing.T) io.Writer {
			f, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
			if err != nil {
				t.Skipf("skipped for want of /dev/full: %v", err)
			}
			t.Cleanup(func() { f.Close() })
			return f
		}},
		{"pipe that nobody reads", func(t *testing.T) io.Writer {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			r.Close()
			t.Cleanup(func() { w.Close() })
			return w
		}},
		{"closed file", func(t *testing.T) io.Writer {
			f, err := os.CreateTemp(t.TempDir(), "")
			if err != nil {
				t.Fatal(err)
			}
			f.Close()
			return f
		}},
	} {
		t.Run(test.desc, func(t *testing.T) {
			clearEnv(t, nil)
			tel, err := telemetry.Setup(t.Context(), telemetry.Options{Logs: test.open(t)})
			if err != nil {
				t.Fatal(err)
			}
			tel.Logger.Info("lost")
			// A request is answered all the same.
			if _, body, err := ask(t, tel.Server(route("GET /", hello), nil), "GET", "/", nil); err != nil || body != "hello" {
				t.Errorf("%q, %v", body, err)
			}
			if n := dropped(t, tel, "write"); n != 2 {
				t.Errorf("%v lost, want 2", n)
			}
		})
	}
}
