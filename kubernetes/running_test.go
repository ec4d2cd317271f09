package main

import (
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	core "k8s.io/api/core/v1"
)

// TestProgramTakesItsSettings: the program runs on what the overlays say, answers the probes, and when it is told to stop is
// not ready any more while it still lives and serves.
func TestProgramTakesItsSettings(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "vitrine")
	if out, err := exec.Command("go", "build", "-C", "..", "-buildvcs=false", "-o", program, "./service").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, name := range overlays {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := overlay(t, name)
			settings := c.settings()
			// What is elsewhere here, and how long there is to look at the drain.
			public, ops, nobody := freeAddr(t), freeAddr(t), freeAddr(t)
			settings["VITRINE_ADDR"], settings["VITRINE_OPS_ADDR"] = public, ops
			settings["VITRINE_REDIS_URL"], settings["VITRINE_UPSTREAM_URL"] = "redis://"+nobody, "http://"+public
			settings["VITRINE_DRAIN_DELAY"], settings["OTEL_EXPORTER_OTLP_ENDPOINT"] = "2s", "http://"+nobody
			var env []string
			for k, v := range settings {
				env = append(env, k+"="+v)
			}
			cmd := process(t, env, program)
			ports := map[string]string{"http": public, "ops": ops}
			k := c.container()
			for _, probe := range []*core.Probe{k.StartupProbe, k.ReadinessProbe, k.LivenessProbe} {
				eventually(t, probe.HTTPGet.Path, func() error { return ask(probe, ports) })
			}
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			eventually(t, "not ready any more", func() error {
				if err := ask(k.ReadinessProbe, ports); err == nil || !strings.Contains(err.Error(), "503") {
					return fmt.Errorf("readiness: %v", err)
				}
				return nil
			})
			if err := ask(k.LivenessProbe, ports); err != nil {
				t.Errorf("it would be killed while it drains: %v", err)
			}
			if err := get("http://" + public + "/tiles/0/0/0"); err != nil {
				t.Errorf("it serves nobody while it drains: %v", err)
			}
			if err := cmd.Wait(); err != nil {
				t.Errorf("its end: %v", err)
			}
		})
	}
}

// ask is what the kubelet does.
func ask(p *core.Probe, ports map[string]string) error {
	return get("http://" + ports[p.HTTPGet.Port.String()] + p.HTTPGet.Path)
}

func get(url string) error {
	client := http.Client{Timeout: 10 * time.Second}
	res, err := client.Get(url)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, res.Status)
	}
	return nil
}
