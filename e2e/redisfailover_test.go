//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"vitrine/e2e/stack"
)

// TestRedisSentinel: the cache's promises to a fleet hold behind Sentinel, also when a replica has taken its master's
// place.
func TestRedisSentinel(t *testing.T) {
	f := startRedisFleet(t, "sentinel", nil, "sentinel")
	f.holds()
	f.Run("a failover", func(t *testing.T) {
		// The account of purges is another run's then, and all that is older counts as purged.
		if found := f.failover(t, "redis"); found != 0 {
			t.Errorf("%d older values are found, want none", found)
		}
	})
	f.holds()
	f.Run("a purge that the next master has not heard of", func(t *testing.T) {
		if got := f.unheardPurge(t, "redis-2", "redis"); !strings.Contains(got, "; fwd=") {
			t.Errorf("after the failover: %s; want a load", got)
		}
	})
}

// TestRedisCluster: and over three masters, one of which has a replica. docs/scaling.md says what does not hold.
func TestRedisCluster(t *testing.T) {
	f := startRedisFleet(t, "cluster", joinCluster, "redis", "redis-2", "redis-3", "redis-4")
	f.holds()
	f.Run("a failover", func(t *testing.T) {
		// It was not the master of the accounts. A call of Redis that a busy machine is too slow for is a load, too.
		if found := f.failover(t, "redis"); found <= olderValues/2 {
			t.Errorf("%d of %d older values are found, want most", found, olderValues)
		}
	})
	f.holds()
	f.Run("a master without a replica dies", func(t *testing.T) {
		f.lonely(t, "redis-3", func(t *testing.T) {
			f.sharedOn(t, "redis-2", "redis-4")
		})
	})
	f.Run("and the one that has the accounts of purges", func(t *testing.T) {
		f.lonely(t, "redis-2", func(t *testing.T) {
			within(t, 20*time.Second, func() error { return f.everyBreakerIsOpen(t) })
		})
	})
	f.Run("a purge that the next master has not heard of", func(t *testing.T) {
		if got := f.unheardPurge(t, "redis-4", "redis"); !strings.Contains(got, "; hit") {
			t.Errorf("after the failover: %s; docs/scaling.md says that such a purge of a key is lost", got)
		}
	})
}

// joinCluster has three servers share the slots, and the fourth follow the first.
func joinCluster(s *stack.Stack) error {
	script := `set -e
at() { echo "$(getent hosts "$1" | cut -d' ' -f1):6379"; }
redis-cli --cluster create "$(at redis)" "$(at redis-2)" "$(at redis-3)" --cluster-yes
until redis-cli -h redis-2 cluster info | grep -q cluster_state:ok && redis-cli -h redis-3 cluster info | grep -q cluster_state:ok; do sleep .1; done
redis-cli --cluster add-node "$(at redis-4)" "$(at redis)" --cluster-slave --cluster-master-id "$(redis-cli cluster myid)"
until redis-cli -h redis-4 info replication | grep -q master_link_status:up; do sleep .1; done`
	_, err := s.Compose(context.Background(), "exec", "-T", "redis", "sh", "-c", script)
	return err
}

// cli asks a server.
func (f *redisFleet) cli(server string, args ...string) (string, error) {
	return f.Compose(f.Context(), "exec", append([]string{"-T", server, "redis-cli"}, args...)...)
}

func (f *redisFleet) eventually(t *testing.T, server, want string, args ...string) {
	t.Helper()
	within(t, time.Minute, func() error {
		got, err := f.cli(server, args...)
		if err == nil && !strings.Contains(got, want) {
			err = fmt.Errorf("%s says %s; want %s", server, got, want)
		}
		return err
	})
}

const olderValues = 12

// failover kills a master while users ask, purges meanwhile, and starts it again when another is in its place. It returns
// how many of some values are found afterwards that were there before.
func (f *redisFleet) failover(t *testing.T, master string) (found int) {
	before := tilesOf(22, olderValues)
	f.wantAt(t, 0, "; stored", before...)
	traffic, err := f.Traffic(t.Context(), steadyRate)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { traffic.Abandon(t.Context()) })
	settle(t, 3*time.Second)
	for i := range f.replicas {
		f.wantAt(t, i, "; hit", "/slow") // so that each has something to forget
	}
	if _, err := f.Compose(t.Context(), "kill", master); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	answer := f.purgeAt(t, 0, "slow", "key", keyOf("/slow"))
	f.shared(t)
	again := time.Since(killed)
	f.serving()
	within(t, 10*time.Second, func() error { return f.allComputedSince(killed) })
	heard := time.Since(killed)
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); settle(t, 250*time.Millisecond) {
		if err := f.allComputedSince(killed); err != nil {
			t.Errorf("a value is back that was purged: %v", err)
		}
	}
	lines, err := f.askAt(1, before...)
	if err != nil {
		t.Fatal(err)
	}
	found = strings.Count(strings.Join(lines, "\n"), "; hit")
	if _, err := f.Compose(t.Context(), "start", master); err != nil {
		t.Fatal(err)
	}
	f.serving()
	settle(t, 3*time.Second)
	figures := f.nobodyNoticed(t, traffic)
	// It comes back as a replica.
	f.eventually(t, master, "role:slave", "info", "replication")
	f.eventually(t, master, "master_link_status:up", "info", "replication")
	t.Logf("the far tier was shared again after %.1f s; a purge during it was answered %q, and seen by all after %.1f s; %d of %d older values are found; %d requests, p50 %.3g ms, p99 %.3g ms, max %.3g ms",
		again.Seconds(), answer, heard.Seconds(), found, len(before), figures.Requests, figures.All.P50, figures.All.P99, figures.All.Max)
	return found
}

// nobodyNoticed ends the traffic, of which nothing may have failed.
func (f *redisFleet) nobodyNoticed(t *testing.T, traffic *stack.Traffic) stack.Figures {
	t.Helper()
	figures, err := traffic.Stop(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if figures.Failed > 0 || figures.Dropped > 0 || figures.Requests == 0 {
		t.Errorf("%d of %d requests failed, %d were never begun; want none:\n%s", figures.Failed, figures.Requests, figures.Dropped, failures(figures))
	}
	return figures
}

// allComputedSince fails if a replica answers /slow with what was computed earlier.
func (f *redisFleet) allComputedSince(then time.Time) error {
	for i, id := range f.replicas {
		text, err := f.Replica(f.Context(), id, "8080/slow", "--no-include")
		if err != nil {
			return err
		}
		var slow struct {
			ComputedAt time.Time `json:"computed_at"`
		}
		if err := json.Unmarshal([]byte(text), &slow); err != nil {
			return err
		}
		if slow.ComputedAt.Before(then) {
			return fmt.Errorf("replica %d has a value that is %s too old", i, then.Sub(slow.ComputedAt))
		}
	}
	return nil
}

// lonely kills a master that nobody replaces, while users ask, and starts it again when check is content.
func (f *redisFleet) lonely(t *testing.T, master string, check func(*testing.T)) {
	f.shared(t)
	traffic, err := f.Traffic(t.Context(), steadyRate)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { traffic.Abandon(t.Context()) })
	settle(t, 2*time.Second)
	if _, err := f.Compose(t.Context(), "kill", master); err != nil {
		t.Fatal(err)
	}
	f.eventually(t, "redis-4", "cluster_slots_fail:546", "cluster", "info") // a third of 16384
	killed := time.Now()
	answer := f.purgeAt(t, 0, "slow", "key", keyOf("/slow"))
	check(t)
	if _, err := f.Compose(t.Context(), "start", master); err != nil {
		t.Fatal(err)
	}
	back := time.Now()
	f.serving()
	f.shared(t)
	again := time.Since(back)
	within(t, 10*time.Second, func() error { return f.allComputedSince(killed) })
	figures := f.nobodyNoticed(t, traffic)
	t.Logf("a purge without it was answered %q; %.1f s after its start all was shared again; %d requests, p50 %.3g ms, p99 %.3g ms, max %.3g ms",
		answer, again.Seconds(), figures.Requests, figures.All.P50, figures.All.P99, figures.All.Max)
}

// sharedOn waits until what one replica stores on these masters, another finds.
func (f *redisFleet) sharedOn(t *testing.T, masters ...string) {
	t.Helper()
	within(t, time.Minute, func() error {
		tiles := tilesOf(24, 12)
		if _, err := f.askAt(0, tiles...); err != nil {
			return err
		}
		var stored string
		for _, master := range masters {
			keys, err := f.cli(master, "--scan", "--pattern", "*/tiles/24/*")
			if err != nil {
				return err
			}
			stored += keys
		}
		var there []string
		for _, path := range tiles {
			if strings.Contains(stored, path+"}") {
				there = append(there, path)
			}
		}
		if len(there) == 0 {
			return errors.New("nothing is stored")
		}
		lines, err := f.askAt(1, there...)
		if n := strings.Count(strings.Join(lines, "\n"), "detail=far"); err == nil && n != len(there) {
			err = fmt.Errorf("%d of %d are found", n, len(there))
		}
		return err
	})
}

func (f *redisFleet) everyBreakerIsOpen(t *testing.T) error {
	for _, id := range f.replicas {
		m, err := f.Metrics(t.Context(), id)
		if err != nil {
			return err
		}
		if open := m.Sum("cache_breaker_state", nil); open != 3 {
			return fmt.Errorf("%g of three caches of %s leave Redis out", open, id)
		}
	}
	return nil
}

// unheardPurge has a master take a purge of a key that its replica does not hear of, and the replica take its place. It
// returns how the next asker is answered.
func (f *redisFleet) unheardPurge(t *testing.T, master, replica string) string {
	f.shared(t)
	var path string
	within(t, time.Minute, func() error {
		path = tilesOf(25, 1)[0]
		if _, err := f.askAt(0, path); err != nil {
			return err
		}
		for _, server := range []string{master, replica} {
			there, err := f.cli(server, "--scan", "--pattern", "*"+path+"*")
			if err != nil {
				return err
			}
			if there == "" {
				return fmt.Errorf("%s is not at %s", path, server)
			}
		}
		return nil
	})
	// It loses its master, and says a password to it that there is not.
	for _, do := range [][]string{
		{replica, "config", "set", "masterauth", "wrong"}, {master, "client", "kill", "type", "replica"},
	} {
		if _, err := f.cli(do[0], do[1:]...); err != nil {
			t.Fatal(err)
		}
	}
	f.eventually(t, replica, "master_link_status:down", "info", "replication")
	if answer := f.purgeAt(t, 1, "tiles", "key", keyOf(path)); answer != "HTTP/1.1 204 No Content" {
		t.Errorf("the purge was answered %s", answer)
	}
	if _, err := f.Compose(t.Context(), "kill", master); err != nil {
		t.Fatal(err)
	}
	f.eventually(t, replica, "role:master", "info", "replication")
	within(t, time.Minute, func() error { return f.Serving(t.Context(), 3) })
	f.shared(t)
	lines, err := f.askAt(2, path)
	if err != nil {
		t.Fatal(err)
	}
	return lines[0]
}
