package redisserver_test

import (
	"math"
	"testing"

	"vitrine/e2e/component"
	"vitrine/e2e/redisserver"
)

// TestStart: a server answers, and says what it has done since.
func TestStart(t *testing.T) {
	component.Command(t, "redis-server")
	s, err := redisserver.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	}()
	if err := s.Client.Set(t.Context(), "key", "value", 0).Err(); err != nil {
		t.Fatal(err)
	}
	i, err := s.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	version, err := s.Version(t.Context())
	if err != nil || version == "" || version != i.Text["redis_version"] {
		t.Errorf("version %q (%v), and %q in INFO", version, err, i.Text["redis_version"])
	}
	if i.Calls["set"] != 1 || i.CPU() <= 0 {
		t.Errorf("%v calls of SET, %g µs; want 1, and some", i.Calls["set"], i.CPU())
	}
}

func TestParseInfo(t *testing.T) {
	i, err := redisserver.ParseInfo("# CPU\r\nused_cpu_sys_main_thread:0.5\r\nused_cpu_user_main_thread:1.25\r\n# Commandstats\r\ncmdstat_get:calls=7,usec=9,usec_per_call=1.29\r\n")
	if err != nil {
		t.Fatal(err)
	}
	if i.CPU() != 1.75e6 || i.Calls["get"] != 7 || !math.IsNaN(i.Number("none")) {
		t.Errorf("%g µs, %v, %g; want 1750000, 7 gets, and no number", i.CPU(), i.Calls, i.Number("none"))
	}
}
