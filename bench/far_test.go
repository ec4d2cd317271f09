package main

import (
	"encoding/json"
	"slices"
	"testing"

	"vitrine/e2e/redisserver"
)

func TestFarSuite(t *testing.T) {
	checkGoals(t, try(t, suite{"far", farSuite}, "redis-server"), "plain go-redis Get", "plain go-redis Get")
}

// TestReadersRead: those without copies ask Redis for each value, and all of them get it.
func TestReadersRead(t *testing.T) {
	redis := startRedis(t)
	const reads = 10 * byHand
	copies := []string{"far/rueidis `DoCache`, copies", "far/go-redis client-side caching, copies"}
	for _, c := range farContenders {
		t.Run(c.name, func(t *testing.T) {
			w, err := startWorkers([]contender{c}, 1, 0, redisVariable+"="+redis.Addr)
			defer func() {
				if err := w.stop(); err != nil {
					t.Error(err)
				}
			}()
			if err != nil {
				t.Fatal(err)
			}
			before, err := redis.Info(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			u, err := w[0].follow(order{Callers: 4, Ops: reads, Timed: true})
			if err != nil {
				t.Fatal(err)
			}
			after, err := redis.Info(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if u.Figures["missed"] != 0 || len(u.Took) != reads {
				t.Errorf("%v of %d timed reads had no value of Redis", u.Figures["missed"], len(u.Took))
			}
			// How full the first and the last pipeline is, is chance.
			use := redisUsed(before, after, reads)
			if kept := slices.Contains(copies, c.name); kept != (use.bytes < 100) {
				t.Errorf("of Redis come %v bytes for each read", use.bytes)
			}
			if use.commands > 1.1 {
				t.Errorf("%v commands for each read", use.commands)
			}
		})
	}
}

func TestArticle(t *testing.T) {
	b, err := json.Marshal(newArticle("article:0001"))
	if err != nil || len(b) != 1<<10 {
		t.Errorf("an article is %d bytes (%v), want 1 KiB", len(b), err)
	}
}

// TestRedisUsed: INFO itself is no command of those measured.
func TestRedisUsed(t *testing.T) {
	info := func(text string) redisserver.Info {
		i, err := redisserver.ParseInfo(text)
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
	before := info("used_cpu_sys_main_thread:1\nused_cpu_user_main_thread:1\ntotal_commands_processed:5\ntotal_net_output_bytes:100\n")
	after := info("used_cpu_sys_main_thread:1\nused_cpu_user_main_thread:1.001\ntotal_commands_processed:26\ntotal_net_output_bytes:500\n")
	got := redisUsed(before, after, 10)
	if got.cpu < 99_999 || got.cpu > 100_001 || got.commands != 2 || got.bytes != 40 {
		t.Errorf("%+v, want 100 µs, 2 commands and 40 bytes for each", got)
	}
}

func TestFarReport(t *testing.T) {
	var r report
	r.far([]reader{{name: fetchedBytes}, {name: plainGet}}, []costs{{{cpu: 3, wall: 9}}, {{cpu: 6, wall: 3}}}, []costs{{{cpu: 8, wall: 2}}, {{cpu: 2, wall: 4}}})
	for i, want := range []figure{{.5, .5, .5}, {.5, .5, .5}} {
		if got := r.Goals[i].Got; got != want {
			t.Errorf("%s is %v, want %v", r.Goals[i].Work, got, want)
		}
	}
	want := []string{fetchedBytes, "1", "8 ns", "× 4", "2 ns", "× 0.5", "0 ns", "0", "0 ns", "0", "0"}
	if got := r.Rows[2]; !slices.Equal(got, want) || len(got) != len(r.Head) {
		t.Errorf("the row is %q, want %q", got, want)
	}
}
