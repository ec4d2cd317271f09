//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Shorter than the rules wait before they tell anybody.
const outage = 10 * time.Second

var steadyFaults = []steadyFault{
	{"all replicas are restarted, one by one", rollingRestart("")},
	{"all are upgraded, one by one", upgrade},
	{"and back", rollingRestart("")},
	{"an upgrade that cannot start", wrongUpgrade},
	{"from 3 replicas to 6, to 2, and back", scales(6, 2, 3)},
	{"SIGKILL of one replica", loseReplica("KILL", outage, func(id string) []string { return []string{"start", id} })},
	// For longer than nginx waits for an answer, and so long that nobody waits for one of it whose load has taken too long
	// when it goes on: that would be a 504 for whoever came when it had just stopped.
	{"SIGSTOP of one replica", loseReplica("STOP", 27*time.Second, func(id string) []string { return []string{"kill", "--signal", "CONT", id} })},
	{"one replica has a twentieth of a processor", slowReplica},
	{"SIGKILL of Redis, and it starts empty", lose("redis", "KILL")},
	{"SIGSTOP of Redis", lose("redis", "STOP")},
	{"Redis is restarted, empty", func(ctx context.Context, _ *steady) error {
		_, err := running.Compose(ctx, "restart", "redis")
		return err
	}},
	{"SIGKILL of Jaeger", lose("jaeger", "KILL")},
	{"SIGKILL of Prometheus", lose("prometheus", "KILL")},
}

// rollingRestart runs the script that operators do. What is added to the Compose file is another release.
func rollingRestart(override string) func(context.Context, *steady) error {
	return func(ctx context.Context, s *steady) error {
		before, err := running.All(ctx, "service")
		if err != nil {
			return err
		}
		if err := rolling(ctx, s, override); err != nil {
			return err
		}
		after, err := running.All(ctx, "service")
		if err != nil {
			return err
		}
		for _, old := range before {
			for _, now := range after {
				if old.ID == now.ID {
					return fmt.Errorf("%s was not replaced", old.ID)
				}
			}
		}
		if len(after) != len(before) {
			return fmt.Errorf("%d replicas, want %d as before", len(after), len(before))
		}
		return nil
	}
}

func rolling(ctx context.Context, s *steady, override string) error {
	files := "docker-compose.yml"
	if override != "" {
		file := filepath.Join(s.TempDir(), "release.yml")
		if err := os.WriteFile(file, []byte(override), 0o600); err != nil {
			return err
		}
		files += string(os.PathListSeparator) + file
	}
	cmd := exec.CommandContext(ctx, "service/rolling-restart")
	cmd.Dir = running.Dir
	cmd.Env = append(os.Environ(), "COMPOSE_PROJECT_NAME="+project, "COMPOSE_FILE="+files)
	out, err := cmd.CombinedOutput()
	s.Logf("%s", out)
	if err != nil {
		return fmt.Errorf("service/rolling-restart: %w", err)
	}
	return nil
}

const release = "vitrine:e2e-upgrade"

// upgrade has another image, and another configuration.
func upgrade(ctx context.Context, s *steady) error {
	ids, err := running.Containers(ctx, "service")
	if err != nil {
		return err
	}
	if _, err := running.Docker(ctx, "commit", "--pause=false", "--change", "LABEL org.opencontainers.image.revision=upgrade", ids[0], release); err != nil {
		return err
	}
	if err := rollingRestart(fmt.Sprintf("services: {service: {image: %q, environment: {VITRINE_CACHE_STALE: 11s}}}", release))(ctx, s); err != nil {
		return err
	}
	all, err := running.All(ctx, "service")
	for _, one := range all {
		if one.Image != release {
			err = errors.Join(err, fmt.Errorf("%s runs on %s, want %s", one.ID, one.Image, release))
		}
	}
	return err
}

// wrongUpgrade ends with an error, and leaves those that run alone.
func wrongUpgrade(ctx context.Context, s *steady) error {
	before, err := running.Containers(ctx, "service")
	if err != nil {
		return err
	}
	if err := rolling(ctx, s, "services: {service: {environment: {VITRINE_CACHE_TTL: soon}}}"); err == nil {
		return errors.New("a release that cannot start was rolled out")
	}
	after, err := running.Containers(ctx, "service")
	slices.Sort(before)
	slices.Sort(after)
	if err == nil && !slices.Equal(before, after) {
		err = fmt.Errorf("%v run, want %v as before", after, before)
	}
	return err
}

func scales(steps ...int) func(context.Context, *steady) error {
	return func(ctx context.Context, _ *steady) error {
		for _, n := range steps {
			if _, err := running.Compose(ctx, "up", "--detach", "--wait", "--no-deps", "--no-recreate", "--scale", fmt.Sprintf("service=%d", n), "service"); err != nil {
				return err
			}
		}
		return nil
	}
}

// loseReplica sends a signal to a replica while it answers, and undoes it later.
func loseReplica(signal string, lasts time.Duration, undo func(id string) []string) func(context.Context, *steady) error {
	return func(ctx context.Context, s *steady) error {
		// Who asks for /slow now waits two seconds, at every replica.
		if err := running.PurgeSlow(ctx); err != nil {
			return err
		}
		id, answering, err := busiest(ctx)
		if err != nil {
			return err
		}
		s.inFlight, s.began = answering, time.Now()
		if _, err := running.Docker(ctx, "kill", "--signal", signal, id); err != nil {
			return err
		}
		return s.undoneAfter(ctx, lasts, func(ctx context.Context) error {
			_, err := running.Docker(ctx, undo(id)...)
			return err
		})
	}
}

// busiest is the replica that answers most requests just now, and how many: it waits for some.
func busiest(ctx context.Context) (string, int, error) {
	all, err := running.All(ctx, "service")
	if err != nil {
		return "", 0, err
	}
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		answering := map[string]int{}
		for _, one := range all {
			m, err := running.Metrics(ctx, one.ID)
			if err != nil {
				return "", 0, err
			}
			answering[one.ID] = int(m.Sum("http_server_active_requests", nil))
		}
		id := slices.MaxFunc(slices.Collect(maps.Keys(answering)), func(a, b string) int { return answering[a] - answering[b] })
		if answering[id] > 1 {
			return id, answering[id], nil
		}
	}
	return "", 0, errors.New("no replica answers two requests at a time")
}

// slowReplica takes most of its processor from a replica.
func slowReplica(ctx context.Context, s *steady) error {
	ids, err := running.Containers(ctx, "service")
	if err != nil {
		return err
	}
	quota := func(ctx context.Context, microseconds string) error {
		_, err := running.Docker(ctx, "update", "--cpu-period", "100000", "--cpu-quota", microseconds, ids[0])
		return err
	}
	if err := quota(ctx, "5000"); err != nil {
		return err
	}
	return s.undoneAfter(ctx, outage, func(ctx context.Context) error { return quota(ctx, "-1") })
}

// lose sends a signal to a service that users should not miss.
func lose(service, signal string) func(context.Context, *steady) error {
	return func(ctx context.Context, s *steady) error {
		undo := []string{"start", service}
		if signal == "STOP" {
			undo = []string{"kill", "--signal", "CONT", service}
		}
		if _, err := running.Compose(ctx, "kill", "--signal", signal, service); err != nil {
			return err
		}
		if err := s.undoneAfter(ctx, outage, func(ctx context.Context) error {
			_, err := running.Compose(ctx, undo[0], undo[1:]...)
			return err
		}); err != nil {
			return err
		}
		within(s.T, time.Minute, func() error {
			all, err := running.All(ctx, service)
			if err == nil && all[0].Health != "healthy" {
				err = fmt.Errorf("%s is %s", service, strings.TrimSpace(all[0].State+" "+all[0].Health))
			}
			return err
		})
		return nil
	}
}

// undoneAfter is the end of the fault, also of a test that was interrupted.
func (s *steady) undoneAfter(ctx context.Context, lasts time.Duration, undo func(context.Context) error) error {
	settle(s.T, lasts)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	err := undo(ctx)
	s.over = time.Now()
	return err
}
