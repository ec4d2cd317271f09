//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"vitrine/e2e/stack"
)

// redisFleet is nginx and three replicas, in a Compose project of their own, over more than one Redis.
type redisFleet struct {
	*testing.T
	*stack.Stack
	replicas []string
}

// startRedisFleet starts the servers that e2e/redis/NAME.yml adds, has them joined, and starts the service.
func startRedisFleet(t *testing.T, name string, join func(*stack.Stack) error, servers ...string) *redisFleet {
	t.Helper()
	s := &stack.Stack{Project: project + "-" + name, Dir: "..", Files: []string{"docker-compose.yml", "e2e/redis/" + name + ".yml"}}
	down := func() {
		out, err := s.Command(context.WithoutCancel(t.Context()), "down", "--volumes", "--timeout", "5").CombinedOutput()
		if err != nil {
			t.Errorf("docker compose down: %v\n%s", err, out)
		}
	}
	down() // what a run left behind that was killed
	t.Cleanup(func() {
		if t.Failed() {
			logs, _ := s.Command(context.WithoutCancel(t.Context()), "logs", append([]string{"--tail", "40"}, servers...)...).CombinedOutput()
			t.Logf("%s", logs)
		}
		down()
	})
	up := func(services ...string) {
		t.Helper()
		out, err := s.Command(t.Context(), "up", append([]string{"--detach", "--wait", "--wait-timeout", "120"}, services...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	up(servers...)
	if join != nil {
		if err := join(s); err != nil {
			t.Fatal(err)
		}
	}
	up("service", "nginx")
	address, err := s.Compose(t.Context(), "port", "nginx", "8080")
	if err != nil {
		t.Fatal(err)
	}
	s.Site = "http://" + strings.TrimSpace(address)
	f := &redisFleet{T: t, Stack: s}
	all, err := s.All(t.Context(), "service")
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range all {
		f.replicas = append(f.replicas, one.ID)
	}
	f.serving()
	return f
}

func (f *redisFleet) serving() {
	f.Helper()
	within(f.T, time.Minute, func() error { return f.Serving(f.Context(), 3) })
}

// askAt asks a replica past nginx, and returns what Cache-Status says of each answer.
func (f *redisFleet) askAt(replica int, paths ...string) ([]string, error) {
	args := []string{"-T", "nginx", "curl", "--silent", "--show-error", "--fail", "--max-time", "30", "--header", "Host: vitrine",
		"--write-out", `%header{cache-status}\n`}
	for _, path := range paths {
		args = append(args, "--output", "/dev/null", "http://"+f.replicas[replica]+":8080"+path)
	}
	text, err := f.Compose(f.Context(), "exec", args...)
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if err == nil && len(lines) != len(paths) {
		err = fmt.Errorf("%d answers for %d paths: %q", len(lines), len(paths), text)
	}
	return lines, err
}

// wantAt asks until all answers came about as they should, for a moment: messages between replicas take milliseconds.
func (f *redisFleet) wantAt(t *testing.T, replica int, how string, paths ...string) {
	t.Helper()
	within(t, 3*time.Second, func() error {
		lines, err := f.askAt(replica, paths...)
		if err != nil {
			return err
		}
		left := paths[:0:0]
		for i, line := range lines {
			if !strings.Contains(line, how) {
				left, err = append(left, paths[i]), fmt.Errorf("%s at replica %d: %s, want %s", paths[i], replica, line, how)
			}
		}
		paths = left
		return err
	})
}

// purgeAt tells one replica to purge, and returns the status of its answer.
func (f *redisFleet) purgeAt(t *testing.T, replica int, cache, kind, what string) string {
	t.Helper()
	form := url.Values{"cache": {cache}, kind: {what}}
	text, err := f.Replica(f.Context(), f.replicas[replica], "8081/debug/cache/purge", "--data", form.Encode())
	if err != nil {
		t.Fatal(err)
	}
	status, _, _ := strings.Cut(text, "\r\n")
	return status
}

func keyOf(path string) string { return "r:vitrine" + path }

// tilesOf are paths of so many tiles of a level that nobody has asked for.
func tilesOf(z, n int) (paths []string) {
	for range n {
		paths = append(paths, fmt.Sprintf("/tiles/%d/%d/%d", z, rand.IntN(1<<z), rand.IntN(1<<z)))
	}
	return paths
}

// loads is how often the fleet has loaded for a cache.
func (f *redisFleet) loads(cache string) (n int) {
	f.Helper()
	for _, id := range f.replicas {
		m, err := f.Metrics(f.Context(), id)
		if err != nil {
			f.Fatal(err)
		}
		n += int(m.Sum("cache_load_duration_seconds", map[string]string{"cache": cache}))
	}
	return n
}

// storeFailures counts calls of Redis that brought nothing.
func (f *redisFleet) storeFailures() (n float64) {
	f.Helper()
	for _, id := range f.replicas {
		m, err := f.Metrics(f.Context(), id)
		if err != nil {
			f.Fatal(err)
		}
		n += m.Sum("cache_store_duration_seconds", nil)
		for _, good := range []string{"ok", "miss", "hit"} {
			n -= m.Sum("cache_store_duration_seconds", map[string]string{"result": good})
		}
	}
	return n
}

// holds is what the cache promises a fleet, over any Redis. The tiles lie on all servers of a cluster.
func (f *redisFleet) holds() {
	f.Run("many ask at once, one replica loads once", func(t *testing.T) {
		tiles := tilesOf(20, 12)
		paths := append([]string{"/slow"}, tiles...)
		f.purgeAt(t, 0, "slow", "key", keyOf("/slow"))
		slow, others := f.loads("slow"), f.loads("tiles")
		failed := f.storeFailures()
		for _, path := range paths {
			var all sync.WaitGroup
			for range 30 {
				all.Go(func() {
					if _, _, err := stack.Get(t.Context(), f.Site+path); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
		}
		t.Logf("calls of Redis that failed: %g", f.storeFailures()-failed)
		if got := f.loads("slow") - slow; got != 1 {
			t.Errorf("/slow was loaded %d times, want once", got)
		}
		if got := f.loads("tiles") - others; got != len(tiles) {
			t.Errorf("%d tiles were loaded %d times, want each once", len(tiles), got)
		}
	})
	f.Run("what one loads, all have", func(t *testing.T) {
		tiles := tilesOf(19, 12)
		f.wantAt(t, 0, "; fwd=uri-miss; stored", tiles...)
		f.wantAt(t, 1, "; detail=far", tiles...)
		f.wantAt(t, 2, "; detail=far", tiles...)
	})
	for _, purge := range []struct {
		kind string
		what func(path string) string
		zoom int
	}{
		{"key", keyOf, 18},
		{"tag", func(string) string { return "zoom:17" }, 17},
	} {
		f.Run("what one purges by "+purge.kind+", all have purged", func(t *testing.T) {
			tiles := tilesOf(purge.zoom, 12)
			for i := range f.replicas {
				f.wantAt(t, i, "; ", tiles...)
				f.wantAt(t, i, "; detail=near", tiles...)
			}
			whats := map[string]bool{}
			for _, path := range tiles {
				whats[purge.what(path)] = true
			}
			for what := range whats {
				if got := f.purgeAt(t, 0, "tiles", purge.kind, what); got != "HTTP/1.1 204 No Content" {
					t.Errorf("%s is purged: %s", what, got)
				}
			}
			f.wantAt(t, 1, "; fwd=", tiles...)
			f.wantAt(t, 2, "; detail=far", tiles...)
			f.wantAt(t, 0, "; detail=far", tiles...)
		})
	}
}

// shared waits until what one replica stores the others find, whichever server it lies on.
func (f *redisFleet) shared(t *testing.T) {
	t.Helper()
	within(t, 2*time.Minute, func() error {
		tiles := tilesOf(21, 12)
		if _, err := f.askAt(0, tiles...); err != nil {
			return err
		}
		for i := 1; i < len(f.replicas); i++ {
			lines, err := f.askAt(i, tiles...)
			if err != nil {
				return err
			}
			for _, line := range lines {
				if !strings.Contains(line, "detail=far") {
					return errors.New(line)
				}
			}
		}
		return nil
	})
}
