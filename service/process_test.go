package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"vitrine/e2e/component"
	"vitrine/telemetry/telemetrytest"
)

// TestProcess is the program as it is run: built, started, asked, told to end.
func TestProcess(t *testing.T) {
	t.Parallel()
	binary := filepath.Join(t.TempDir(), "vitrine")
	if out, err := exec.Command(component.Command(t, "go"), "build", "-buildvcs=false", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}

	t.Run("wrong variable", func(t *testing.T) {
		var stderr bytes.Buffer
		cmd := exec.Command(binary)
		cmd.Env, cmd.Stderr = []string{"VITRINE_CACHE=foo"}, &stderr
		if code := exitCodeOf(t, cmd.Run()); code != 2 || stderr.String() != "vitrine: VITRINE_CACHE=\"foo\": must be memory, redis or tiered\n" {
			t.Errorf("exit code %d, and\n%s", code, stderr.String())
		}
	})
	t.Run("unknown argument", func(t *testing.T) {
		if code := exitCodeOf(t, exec.Command(binary, "serve").Run()); code != 2 {
			t.Errorf("exit code %d, want 2", code)
		}
	})
	for argument, has := range map[string]string{"-help": "VITRINE_SHUTDOWN_TIMEOUT", "version": runtime.Version(), "config": "VITRINE_CACHE_TTL"} {
		t.Run(argument, func(t *testing.T) {
			out, err := exec.Command(binary, argument).Output()
			if err != nil || !strings.Contains(string(out), has) {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	t.Run("nobody reads the log any more", func(t *testing.T) {
		log, stderr, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer log.Close()
		cmd := exec.Command(binary)
		cmd.Env = []string{"VITRINE_ADDR=127.0.0.1:0", "VITRINE_OPS_ADDR=127.0.0.1:0", "VITRINE_SLOW_DELAY=1ms"}
		cmd.Stderr = stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		stderr.Close()
		t.Cleanup(func() { _ = cmd.Process.Kill() })
		var serving map[string]any
		if err := json.NewDecoder(log).Decode(&serving); err != nil {
			t.Fatal(err)
		}
		log.Close()
		get(t, "http://"+serving["addr"].(string)+"/slow").want(t, http.StatusOK, "application/json")
		metrics := get(t, "http://"+serving["ops_addr"].(string)+"/metrics").body
		if !strings.Contains(metrics, `log_records_dropped_total{reason="write"} 1`) {
			t.Error("the access line that could not be written is not counted")
		}
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v, want exit code 0", err)
		}
	})
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(signal.String(), func(t *testing.T) {
			logs := new(telemetrytest.Log)
			cmd := exec.Command(binary)
			cmd.Env = []string{"VITRINE_ADDR=127.0.0.1:0", "VITRINE_OPS_ADDR=127.0.0.1:0", "VITRINE_SLOW_DELAY=1ms"}
			cmd.Stderr = logs
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			t.Cleanup(func() { _ = cmd.Process.Kill() }) // it has ended, unless the test failed

			serving := func() []map[string]any { return logs.Records(t, "serving") }
			eventually(t, "a program that serves", func() bool { return strings.HasSuffix(logs.String(), "\n") && len(serving()) == 1 })
			addr, ops := serving()[0]["addr"].(string), serving()[0]["ops_addr"].(string)
			get(t, "http://"+addr+"/slow").want(t, http.StatusOK, "application/json")

			check := exec.Command(binary, "health")
			check.Env = []string{"VITRINE_OPS_ADDR=" + ops}
			if out, err := check.CombinedOutput(); err != nil {
				t.Errorf("health: %v, %s", err, out)
			}
			if err := cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			select {
			case err := <-ended:
				if err != nil {
					t.Errorf("%v, want exit code 0\n%s", err, logs)
				}
			case <-time.After(patience):
				t.Fatalf("the program does not end\n%s", logs)
			}
			if len(logs.Records(t, "bye")) != 1 || len(logs.Records(t, "request")) != 1 {
				t.Errorf("want an access line and a goodbye:\n%s", logs)
			}
			if code := exitCodeOf(t, func() error { c := exec.Command(binary, "health"); c.Env = check.Env; return c.Run() }()); code != 1 {
				t.Errorf("health of a program that has ended: exit code %d, want 1", code)
			}
		})
	}
}

func exitCodeOf(t *testing.T, err error) int {
	t.Helper()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		t.Errorf("%v, want an exit code", err)
		return -1
	}
	return exit.ExitCode()
}
