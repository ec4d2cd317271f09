//go:build e2e

// Package e2e tests the whole stack of docker-compose.yml, in a project and on ports of its own.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"vitrine/e2e/component"
)

const project = "vitrine-e2e"

// services are those of docker-compose.yml; Grafana joins them where its image can be had.
var services = []string{"nginx", "service", "redis", "prometheus", "alertmanager", "jaeger", "redis-exporter", "nginx-exporter", "load"}

var (
	hasGrafana                                 bool
	siteURL, prometheusURL, jaegerURL, grafana string
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) (code int) {
	ports, err := freePorts("VITRINE_PORT", "PROMETHEUS_PORT", "JAEGER_PORT", "GRAFANA_PORT")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	siteURL, prometheusURL, jaegerURL, grafana = ports[0], ports[1], ports[2], ports[3]
	if hasGrafana, err = present("grafana"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if hasGrafana {
		services = append(services, "grafana")
	}
	start := time.Now()
	up := compose("up", append([]string{"--detach", "--build", "--wait", "--wait-timeout", "180"}, services...)...)
	up.Stdout, up.Stderr = os.Stdout, os.Stderr
	defer func() {
		if code != 0 {
			logs, _ := compose("logs", "--tail", "40").CombinedOutput() // as much as there is
			fmt.Printf("%s\n", logs)
		}
		code = max(code, down())
	}()
	if err := up.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "docker compose up:", err)
		return 1
	}
	fmt.Printf("healthy after %s, the image's build included\n", time.Since(start).Round(time.Second))
	return m.Run()
}

// down removes the stack, and fails if anything of it is left.
func down() int {
	if out, err := compose("down", "--volumes", "--timeout", "30").CombinedOutput(); err != nil {
		fmt.Printf("docker compose down: %v\n%s\n", err, out)
		return 1
	}
	for _, kind := range [][]string{{"ps", "--all"}, {"network", "ls"}, {"volume", "ls"}} {
		args := append(kind, "--quiet", "--filter", "label=com.docker.compose.project="+project)
		left, err := exec.Command("docker", args...).Output()
		if err != nil || len(left) > 0 {
			fmt.Printf("docker %s: %v, left after down: %s\n", strings.Join(args, " "), err, left)
			return 1
		}
	}
	fmt.Println("docker compose down --volumes left nothing")
	return 0
}

func compose(command string, args ...string) *exec.Cmd {
	cmd := exec.Command("docker", append([]string{"compose", "--project-name", project, command}, args...)...)
	cmd.Dir = ".."
	return cmd
}

// freePorts sets each variable to a free port, and returns what is reached there.
func freePorts(variables ...string) (urls []string, err error) {
	for _, name := range variables {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		if err := os.Setenv(name, fmt.Sprint(l.Addr().(*net.TCPAddr).Port)); err != nil {
			return nil, err
		}
		urls = append(urls, "http://"+l.Addr().String())
	}
	return urls, nil
}

// present tells whether the image of a service is on this machine.
func present(service string) (bool, error) {
	out, err := compose("config", "--format", "json", service).Output()
	if err != nil {
		return false, fmt.Errorf("docker compose config: %w", err)
	}
	var config struct {
		Services map[string]struct{ Image string }
	}
	if err := json.Unmarshal(out, &config); err != nil {
		return false, err
	}
	return exec.Command("docker", "image", "inspect", config.Services[service].Image).Run() == nil, nil
}

func requireGrafana(t *testing.T) {
	t.Helper()
	if !hasGrafana {
		component.Missing(t, "grafana", "its image is not on this machine, and none can be pulled")
	}
}

// get returns the answer's header and body; any status but 200 is an error.
func get(ctx context.Context, address string) (http.Header, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s: %s", address, res.Status, bytes.TrimSpace(body))
	}
	return res.Header, body, err
}

// getJSON reads the answer into v.
func getJSON(ctx context.Context, address string, v any) error {
	_, body, err := get(ctx, address)
	if err != nil {
		return err
	}
	return json.Unmarshal(body, v)
}

// within asks until check has no objection, at most for d.
func within(t *testing.T, d time.Duration, check func() error) {
	t.Helper()
	deadline := time.Now().Add(d)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %s: %v", d, err)
		}
		time.Sleep(500 * time.Millisecond)
	}
}

// sample is a series of an instant query.
type sample struct {
	Metric map[string]string `json:"metric"`
	Value  [2]any            `json:"value"`
}

// query asks Prometheus; no samples are an error.
func query(ctx context.Context, promql string) ([]sample, error) {
	var answer struct {
		Data struct{ Result []sample }
	}
	if err := getJSON(ctx, prometheusURL+"/api/v1/query?query="+url.QueryEscape(promql), &answer); err != nil {
		return nil, err
	}
	if len(answer.Data.Result) == 0 {
		return nil, errors.New("no data: " + promql)
	}
	return answer.Data.Result, nil
}

// replicas is how many containers of a service run.
func replicas(t *testing.T, service string) int {
	t.Helper()
	out, err := compose("ps", "--quiet", service).Output()
	if err != nil {
		t.Fatal(err)
	}
	return len(strings.Fields(string(out)))
}
