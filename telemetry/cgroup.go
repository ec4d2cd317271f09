package telemetry

import (
	"io/fs"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// cgroup tells what the kernel allows this process, and what it takes: its container's own cgroup, version 2
// or 1, below root (/sys/fs/cgroup). What is not there, or not limited, has no series.
type cgroup struct{ root fs.FS }

func cgroupMetric(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("cgroup_"+name, help, nil, nil)
}

var (
	cgroupThrottled = cgroupMetric("cpu_throttled_seconds_total", "Time that the process was stopped for having used up its CPU quota.")
	cgroupUsed      = cgroupMetric("memory_working_set_bytes", "Memory in use, files that could be dropped left out.")
	cgroupLimit     = cgroupMetric("memory_limit_bytes", "Memory beyond which the kernel kills.")
	cgroupKills     = cgroupMetric("oom_kills_total", "Processes that the kernel killed for want of memory.")
)

func (c cgroup) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{cgroupThrottled, cgroupUsed, cgroupLimit, cgroupKills} {
		ch <- d
	}
}

func (c cgroup) Collect(ch chan<- prometheus.Metric) {
	send := func(d *prometheus.Desc, kind prometheus.ValueType, v float64, ok bool) {
		if ok {
			ch <- prometheus.MustNewConstMetric(d, kind, v)
		}
	}
	// Version 2 has all in one folder, version 1 a folder for each controller.
	usage, limit, stat, cpu, events, unit, inactive, throttled := "memory.current", "memory.max", "memory.stat", "cpu.stat", "memory.events", 1e-6, "inactive_file", "throttled_usec"
	if _, ok := c.number("memory/memory.usage_in_bytes"); ok {
		usage, limit, stat = "memory/memory.usage_in_bytes", "memory/memory.limit_in_bytes", "memory/memory.stat"
		cpu, events, unit, inactive, throttled = "cpu/cpu.stat", "memory/memory.oom_control", 1e-9, "total_inactive_file", "throttled_time"
	}
	v, ok := c.field(cpu, throttled)
	send(cgroupThrottled, prometheus.CounterValue, v*unit, ok)
	used, ok := c.number(usage)
	if files, has := c.field(stat, inactive); has {
		used = max(used-files, 0)
	}
	send(cgroupUsed, prometheus.GaugeValue, used, ok)
	const unlimited = 1 << 60 // version 1 says a number that no machine has, version 2 says max
	v, ok = c.number(limit)
	send(cgroupLimit, prometheus.GaugeValue, v, ok && v < unlimited)
	v, ok = c.field(events, "oom_kill")
	send(cgroupKills, prometheus.CounterValue, v, ok)
}

func (c cgroup) number(file string) (float64, bool) {
	text, err := fs.ReadFile(c.root, file)
	if err != nil {
		return 0, false
	}
	v, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	return float64(v), err == nil
}

// field is a line's number in a file of names and numbers.
func (c cgroup) field(file, name string) (float64, bool) {
	text, err := fs.ReadFile(c.root, file)
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			v, err := strconv.ParseUint(strings.TrimSpace(value), 10, 64)
			return float64(v), err == nil
		}
	}
	return 0, false
}
