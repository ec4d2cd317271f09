//go:build e2e

// Package e2e tests the whole stack of docker-compose.yml, in a project and on ports of its own.
package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"vitrine/e2e/component"
	"vitrine/e2e/stack"
)

const project = "vitrine-e2e"

// services are those of docker-compose.yml; Grafana joins them where its image can be had.
var services = []string{"nginx", "service", "redis", "prometheus", "alertmanager", "jaeger", "redis-exporter", "nginx-exporter", "load"}

var (
	running    *stack.Stack
	hasGrafana bool
	grafana    string // where it is published
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) (code int) {
	ports, err := freePorts("GRAFANA_PORT", "VITRINE_PORT", "PROMETHEUS_PORT", "JAEGER_PORT")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	grafana = ports[0]
	if hasGrafana, err = present("grafana"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if hasGrafana {
		services = append(services, "grafana")
	}
	// What a run left behind that was killed starts again with the Docker engine.
	if code := down(); code != 0 {
		return code
	}
	start := time.Now()
	up := upCommand()
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
	if running, err = stack.Open(context.Background(), "..", project); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := firstDashboard(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Printf("first dashboard without an empty panel after %s\n", time.Since(start).Round(time.Second))
	if err := stack.Within(context.Background(), time.Minute, func() error { return monitor(context.Background()) }); err != nil {
		fmt.Fprintln(os.Stderr, "Jaeger's Monitor tab:", err)
		return 1
	}
	fmt.Printf("Jaeger's Monitor tab has data after %s\n", time.Since(start).Round(time.Second))
	return m.Run()
}

// upCommand starts the stack as README.md does.
func upCommand() *exec.Cmd {
	return compose("up", append([]string{"--detach", "--build", "--wait", "--wait-timeout", "180"}, services...)...)
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

// image is the name of the image that a service runs on.
func image(service string) (string, error) {
	out, err := compose("config", "--format", "json", service).Output()
	if err != nil {
		return "", fmt.Errorf("docker compose config: %w", err)
	}
	var config struct {
		Services map[string]struct{ Image string }
	}
	err = json.Unmarshal(out, &config)
	return config.Services[service].Image, err
}

// present tells whether the image of a service is on this machine.
func present(service string) (bool, error) {
	name, err := image(service)
	return err == nil && exec.Command("docker", "image", "inspect", name).Run() == nil, err
}

func requireGrafana(t *testing.T) {
	t.Helper()
	if !hasGrafana {
		component.Missing(t, "grafana", "its image is not on this machine, and none can be pulled")
	}
}

// within asks until check has no objection, at most for d.
func within(t *testing.T, d time.Duration, check func() error) {
	t.Helper()
	if err := stack.Within(t.Context(), d, check); err != nil {
		t.Fatal(err)
	}
}

// replicas is how many containers of a service run.
func replicas(t *testing.T, service string) int {
	t.Helper()
	ids, err := running.Containers(t.Context(), service)
	if err != nil {
		t.Fatal(err)
	}
	return len(ids)
}
