package main

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"vitrine/e2e/component"
	"vitrine/e2e/redisserver"
)

// TestMain lets a process of the tests be a contender, as the program does.
func TestMain(m *testing.M) {
	if name := os.Getenv(contenderVariable); name != "" {
		if err := contend(name); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// startRedis starts a Redis that lives as long as the test.
func startRedis(t *testing.T) *redisserver.Server {
	t.Helper()
	component.Command(t, "redis-server")
	redis, err := redisserver.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := redis.Stop(); err != nil {
			t.Error(err)
		}
	})
	return redis
}

// try runs a suite that measures next to nothing. Programs are what it needs on PATH.
func try(t *testing.T, s suite, programs ...string) report {
	t.Helper()
	for _, name := range programs {
		if _, err := exec.LookPath(name); err != nil {
			component.Missing(t, name, err.Error())
		}
	}
	r, err := s.run(t.Context(), &bench{dir: "..", scratch: t.TempDir(), rounds: 1, share: .005})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range r.Rows {
		if len(row) != len(r.Head) {
			t.Errorf("the row %q has not the %d columns of %q", row, len(r.Head), r.Head)
		}
	}
	return r
}

// checkGoals compares whom a suite has goals against.
func checkGoals(t *testing.T, r report, want ...string) {
	t.Helper()
	var got []string
	for _, g := range r.Goals {
		// Of so little work the kernel, which counts in hundredths of a second, may say that it took nothing.
		if g.Got.Median < 0 {
			t.Errorf("%s, against %s, was measured as %v", g.Work, g.Against, g.Got)
		}
		got = append(got, g.Against)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("goals are against %q, want %q", got, want)
	}
}
