package telemetry

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestCgroup(t *testing.T) {
	v2 := map[string]string{
		"cpu.stat":       "usage_usec 10\nnr_periods 3\nthrottled_usec 2500000\n",
		"memory.current": "1000\n", "memory.max": "4000\n",
		"memory.stat": "anon 300\ninactive_file 400\n", "memory.events": "oom 1\noom_kill 2\n",
	}
	v1 := map[string]string{
		"cpu/cpu.stat":                 "nr_periods 3\nthrottled_time 2500000000\n",
		"memory/memory.usage_in_bytes": "1000\n", "memory/memory.limit_in_bytes": "4000\n",
		"memory/memory.stat": "inactive_file 1\ntotal_inactive_file 400\n", "memory/memory.oom_control": "under_oom 0\noom_kill 2\n",
	}
	with := func(files map[string]string, changes ...string) fstest.MapFS {
		tree := fstest.MapFS{}
		for name, text := range files {
			tree[name] = &fstest.MapFile{Data: []byte(text)}
		}
		for i := 0; i < len(changes); i += 2 {
			tree[changes[i]] = &fstest.MapFile{Data: []byte(changes[i+1])}
		}
		return tree
	}
	const (
		rest = `
# HELP cgroup_cpu_throttled_seconds_total Time that the process was stopped for having used up its CPU quota.
# TYPE cgroup_cpu_throttled_seconds_total counter
cgroup_cpu_throttled_seconds_total 2.5
# HELP cgroup_memory_working_set_bytes Memory in use, files that could be dropped left out.
# TYPE cgroup_memory_working_set_bytes gauge
cgroup_memory_working_set_bytes 600
# HELP cgroup_oom_kills_total Processes that the kernel killed for want of memory.
# TYPE cgroup_oom_kills_total counter
cgroup_oom_kills_total 2
`
		limit = `# HELP cgroup_memory_limit_bytes Memory beyond which the kernel kills.
# TYPE cgroup_memory_limit_bytes gauge
cgroup_memory_limit_bytes 4000
`
	)
	for _, test := range []struct {
		desc string
		tree fstest.MapFS
		want string
	}{
		{"version 2", with(v2), rest + limit},
		{"version 2 without a limit", with(v2, "memory.max", "max\n"), rest},
		{"version 1", with(v1), rest + limit},
		{"version 1 without a limit", with(v1, "memory/memory.limit_in_bytes", "9223372036854771712\n"), rest},
		{"a limit that is no number", with(v2, "memory.max", "plenty"), rest},
		{"no cgroup", fstest.MapFS{}, ""},
	} {
		t.Run(test.desc, func(t *testing.T) {
			if err := testutil.CollectAndCompare(cgroup{test.tree}, strings.NewReader(test.want)); err != nil {
				t.Error(err)
			}
		})
	}
}
