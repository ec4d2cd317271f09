package main

func runtime() *dashboard {
	const limit = `min(cgroup_memory_limit_bytes{` + replicas + `})`
	d := newDashboard("runtime", "Runtime", "Go's scheduler and garbage collector, and the container's limits", instanceVariable)
	d.started()
	d.row("Is anything wrong?",
		stat("Started", "short",
			"Replicas that started within the time shown, each with empty near tiers. Without a deployment: docker compose ps --all; exit code 137 is the memory limit, anything else is in the log's last lines.",
			`count(process_start_time_seconds{`+replicas+`} > time() - $__range_s) or vector(0)`).limits("green", 1, "yellow").whole().size(6, 4),
		stat("Killed for memory", "short",
			"Processes that the kernel killed in the containers that run now. A replica that it killed itself is in a new container, which begins at 0: see Started.",
			`sum(cgroup_oom_kills_total{`+replicas+`})`).limits("green", 1, "red").whole().size(6, 4),
		stat("Throttled most", "percentunit",
			"Share of each second in which the kernel stopped the replica that it stopped most. Above 5 % p99 suffers: a higher CPU limit, or none.",
			`max(rate(cgroup_cpu_throttled_seconds_total{`+replicas+`}[$__rate_interval]))`).limits("green", 0.05, "red").size(6, 4),
		stat("Of GOMEMLIMIT", "percentunit",
			"What Go manages, of the limit that its collector works to keep, in the fullest replica. Near 100 % it collects all the time: less VITRINE_CACHE_BYTES, or a higher GOMEMLIMIT.",
			`max((go_memstats_sys_bytes{`+replicas+`} - go_memstats_heap_released_bytes{`+replicas+`}) / on (instance) go_gc_gomemlimit_bytes{`+replicas+`})`).limits("green", 0.8, "yellow", 0.95, "red").size(6, 4),
	)
	d.row("Processor",
		series("Scheduler latency", "s",
			"How long goroutines that could run waited for a processor. Microseconds are usual; p99 above 10 ms: too little CPU, or throttling.",
			query{`histogram_quantile(0.99, sum by (le) (rate(go_sched_latencies_seconds_bucket{` + replicas + `}[$__rate_interval])))`, "p99"},
			query{`histogram_quantile(0.5, sum by (le) (rate(go_sched_latencies_seconds_bucket{` + replicas + `}[$__rate_interval])))`, "p50"}).logarithmic(),
		series("CPU by replica", "short",
			"Processors in use, and how many may be (GOMAXPROCS). Near the limit answers wait for a processor: more replicas, or fewer misses.",
			query{`sum by (instance) (rate(process_cpu_seconds_total{` + replicas + `}[$__rate_interval]))`, "{{instance}}"},
			query{`max(go_sched_gomaxprocs_threads{` + replicas + `})`, "limit"}),
		series("Throttled", "percentunit",
			"Share of each second in which the kernel stopped the replica for having used up its CPU quota. Above 0, p99 suffers: raise the limit or have none.",
			query{`sum by (instance) (rate(cgroup_cpu_throttled_seconds_total{` + replicas + `}[$__rate_interval]))`, "{{instance}}"}).limits("green", 0.05, "red"),
	)
	d.row("Memory",
		series("Container", "bytes",
			"Memory that cannot be given back, by replica, and the container's limit: at it, the kernel kills.",
			query{`cgroup_memory_working_set_bytes{` + replicas + `}`, "{{instance}}"}, query{limit, "limit"}).size(12, 8),
		series("Heap against GOMEMLIMIT", "bytes",
			"What Go manages, the live heap in it, and the soft limit. Near the limit the collector works harder and harder: less VITRINE_CACHE_BYTES, or a higher GOMEMLIMIT.",
			query{`max(go_memstats_sys_bytes{` + replicas + `} - go_memstats_heap_released_bytes{` + replicas + `})`, "managed"},
			query{`max(go_gc_heap_live_bytes{` + replicas + `})`, "live"},
			query{`min(go_gc_gomemlimit_bytes{` + replicas + `})`, "limit"}).size(12, 8),
	)
	d.row("Garbage collection",
		series("Share of CPU", "percentunit",
			"Of the CPU time used, what the collector took. Above 25 % the heap is too small for its churn.",
			query{`sum by (instance) (rate(go_cpu_classes_gc_total_cpu_seconds_total{` + replicas + `}[$__rate_interval])) / sum by (instance) (rate(process_cpu_seconds_total{` + replicas + `}[$__rate_interval]))`, "{{instance}}"}).
			limits("green", 0.25, "red"),
		series("Stopped for collection", "percentunit",
			"Share of each second in which the collector stopped everything. A thousandth is usual; above one hundredth p99 shows it: /debug/pprof/heap.",
			query{`sum by (instance) (rate(go_sched_pauses_total_gc_seconds_sum{` + replicas + `}[$__rate_interval]))`, "{{instance}}"}).limits("green", 0.01, "red"),
		series("Cycles", "short",
			"Collections a minute. Many, with little live heap: GOGC is low or GOMEMLIMIT near.",
			query{`60 * sum by (instance) (rate(go_gc_duration_seconds_count{` + replicas + `}[$__rate_interval]))`, "{{instance}}"}),
		series("Allocated", "Bps",
			"Bytes a second that were allocated. It drives the collector: /debug/pprof/allocs says by whom.",
			query{`sum by (instance) (rate(go_memstats_alloc_bytes_total{` + replicas + `}[$__rate_interval]))`, "{{instance}}"}),
		series("Goroutines", "short",
			"They follow the open requests. A line that only climbs is a leak: /debug/pprof/goroutine.",
			query{`go_goroutines{` + replicas + `}`, "{{instance}}"}),
		series("File descriptors", "percentunit",
			"Open files and connections, of those that may be. A line that only climbs is a leak; at 100 % every new connection is refused.",
			query{`process_open_fds{` + replicas + `} / process_max_fds{` + replicas + `}`, "{{instance}}"}).limits("green", 0.5, "red"),
	)
	return d
}
