// Package stack asks a running stack of docker-compose.yml what its APIs say.
package stack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"time"
)

// Stack is a Compose project that runs.
type Stack struct {
	Project string
	Dir     string   // of docker-compose.yml
	Files   []string // in its place, below Dir; of several, each adds to those before
	// Where a browser on this machine finds them.
	Site, Prometheus, Jaeger string
}

// Open finds where the ports of a project are published.
func Open(ctx context.Context, dir, project string) (*Stack, error) {
	s := &Stack{Project: project, Dir: dir}
	for _, port := range []struct {
		url           *string
		service, port string
	}{{&s.Site, "nginx", "8080"}, {&s.Prometheus, "prometheus", "9090"}, {&s.Jaeger, "jaeger", "16686"}} {
		address, err := s.Compose(ctx, "port", port.service, port.port)
		if err != nil {
			return nil, fmt.Errorf("does the stack run? (docker compose up --build --wait): %w", err)
		}
		*port.url = "http://" + strings.TrimSpace(address)
	}
	return s, nil
}

// Command is a docker compose command of the project.
func (s *Stack) Command(ctx context.Context, command string, args ...string) *exec.Cmd {
	all := []string{"compose", "--project-name", s.Project}
	for _, file := range s.Files {
		all = append(all, "--file", file)
	}
	cmd := exec.CommandContext(ctx, "docker", append(append(all, command), args...)...)
	cmd.Dir = s.Dir
	return cmd
}

// Compose returns what a command writes to its standard output.
func (s *Stack) Compose(ctx context.Context, command string, args ...string) (string, error) {
	return output(s.Command(ctx, command, args...))
}

func output(cmd *exec.Cmd) (string, error) {
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		err = fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, bytes.TrimSpace(exit.Stderr))
	}
	return string(out), err
}

// Containers are the ids of those of a service that run.
func (s *Stack) Containers(ctx context.Context, service string) ([]string, error) {
	out, err := s.Compose(ctx, "ps", "--quiet", service)
	return strings.Fields(out), err
}

// Docker runs docker itself, for what Compose cannot say: one container.
func (s *Stack) Docker(ctx context.Context, args ...string) (string, error) {
	return output(exec.CommandContext(ctx, "docker", args...))
}

// Ops sends a request to the operations port of every replica, which only the stack's own networks reach.
func (s *Stack) Ops(ctx context.Context, method, path string) error {
	replicas, err := s.replicas(ctx)
	for _, replica := range replicas {
		if err == nil {
			err = s.curl(ctx, "--request", method, "http://"+replica+path)
		}
	}
	return err
}

// PurgeSlow throws the entry of /slow out: one replica is told, and the others hear of it.
func (s *Stack) PurgeSlow(ctx context.Context) error {
	replicas, err := s.replicas(ctx)
	if err != nil {
		return err
	}
	form := url.Values{"cache": {"slow"}, "key": {"r:vitrine/slow"}}
	return s.curl(ctx, "--data", form.Encode(), "http://"+replicas[0]+"/debug/cache/purge")
}

// replicas are where the operations ports of those that are up listen.
func (s *Stack) replicas(ctx context.Context) (addresses []string, err error) {
	up, err := s.Query(ctx, `up{job="service"} == 1`)
	for _, replica := range up {
		addresses = append(addresses, replica.Metric["instance"])
	}
	return addresses, err
}

func (s *Stack) curl(ctx context.Context, args ...string) error {
	_, err := s.Compose(ctx, "exec", append([]string{
		"-T", "nginx", "curl", "--silent", "--show-error", "--fail-with-body", "--max-time", "5",
	}, args...)...)
	return err
}

// Get returns the answer's header and body; any status but 200 is an error.
func Get(ctx context.Context, address string) (http.Header, []byte, error) {
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

// GetJSON reads the answer into v.
func GetJSON(ctx context.Context, address string, v any) error {
	_, body, err := Get(ctx, address)
	if err != nil {
		return err
	}
	return json.Unmarshal(body, v)
}

// Within asks until check has no objection, at most for d.
func Within(ctx context.Context, d time.Duration, check func() error) error {
	deadline := time.Now().Add(d)
	for {
		err := check()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("after %s: %w", d, err)
		}
		select {
		case <-time.After(500 * time.Millisecond):
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		}
	}
}
