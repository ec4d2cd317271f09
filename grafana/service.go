package main

const (
	requests = `rate(http_server_request_duration_seconds_count{` + routes + `}[$__rate_interval])`
	buckets  = `rate(http_server_request_duration_seconds_bucket{` + routes + `}[$__rate_interval])`
	failures = `rate(http_server_request_duration_seconds_count{` + routes + `,http_response_status_code=~"5.."}[$__rate_interval])`
)

// named gives the requests that no route matched a name that can be read.
func named(expr string) string {
	return `label_replace(` + expr + `, "http_route", "(no route)", "http_route", "")`
}

func service() *dashboard {
	d := newDashboard("service", "Service", "Is it well? Rate, errors and duration by route, status and replica",
		instanceVariable, routeVariable)
	d.started()
	d.row("Is it well?",
		stat("Requests", "reqps",
			"Answers a second, of all replicas. At 0 nobody asks or nobody gets through: compare nginx on the dashboard Stack.",
			`sum(`+requests+`)`).explained("What stands before it", "stack"),
		stat("Failed", "percentunit",
			"Share of answers that are 5xx. Above 0.1 % the objective is being missed: SLO says how fast, Errors by route where.",
			`(sum(`+failures+`) or vector(0)) / sum(`+requests+`)`).limits("green", 0.001, "yellow", 0.01, "red").explained("The error budget", "slo"),
		stat("p95", "s",
			"95 of 100 answers took no longer. High with a low hit ratio: the cache; high with a high one: saturation below.",
			`histogram_quantile(0.95, sum by (le) (`+buckets+`))`).limits("green", 0.5, "yellow", 2.5, "red").explained("What the cache did", "cache"),
		stat("Hit ratio", "percentunit",
			"Share of cached requests that nobody had to work for. It falls after a purge or a start and climbs again; where it stays low, What if on the dashboard Cache says whether memory would help.",
			`sum(rate(cache_requests_total{`+replicas+`,outcome=~"hit|stale|stale_error"}[$__rate_interval])) / sum(rate(cache_requests_total{`+replicas+`,outcome!="bypass"}[$__rate_interval]))`).
			limits("red", 0.3, "yellow", 0.5, "green").explained("Why", "cache"),
		stat("Replicas", "short",
			"Replicas that answer Prometheus. Fewer than wanted for a minute is the alert ReplicaDown.",
			`sum(up{`+replicas+`})`).limits("red", 1, "yellow", 3, "green"),
		stat("Alerts", "short",
			"Alerts that fire. Open SLO for which, and docs/operations.md for what to do.",
			`count(ALERTS{alertstate="firing"}) or vector(0)`).limits("green", 1, "red").explained("Which", "slo"),
	)
	d.row("Requests",
		series("Requests by route", "reqps",
			"Answers a second by route. A route that stands out here is the one to choose above.",
			query{named(`sum by (http_route) (` + requests + `)`), "{{http_route}}"}).stacked(),
		series("Answers by status", "reqps",
			"Answers a second by status; 0 is an exchange that ended without one. Red is ours to mend, yellow mostly the client's.",
			query{`sum by (http_response_status_code) (` + requests + `)`, "{{http_response_status_code}}"}).stacked(),
		series("Errors by route", "percentunit",
			"Share of answers that are 5xx. A route alone: its origin; all of them: what they share, Redis or the replicas.",
			query{`(sum by (http_route) (rate(http_server_request_duration_seconds_count{` + routes + `,http_route!="",http_response_status_code=~"5.."}[$__rate_interval])) or 0 * sum by (http_route) (rate(http_server_request_duration_seconds_count{` + routes + `,http_route!=""}[$__rate_interval]))) / sum by (http_route) (rate(http_server_request_duration_seconds_count{` + routes + `,http_route!=""}[$__rate_interval]))`,
				"{{http_route}}"}).limits("green", 0.001, "yellow", 0.01, "red").explained("The error budget", "slo"),
	)
	d.row("Duration",
		heatmap("Every answer",
			"The whole distribution, from the native histogram; a dot is a request that can be opened in Jaeger. Two bands are as it should be: hits below, misses above. A band that climbs is an origin that gets slower.",
			`sum(rate(http_server_request_duration_seconds{`+routes+`}[$__rate_interval]))`).size(12, 9),
		series("Percentiles, with traces", "s",
			"How long answers took. A dot is a request: click it, and Jaeger shows where its time went. p99 alone climbs: a few slow ones, look at their traces; p50 climbs: everything, look at saturation.",
			query{`histogram_quantile(0.99, sum by (le) (` + buckets + `))`, "p99"},
			query{`histogram_quantile(0.95, sum by (le) (` + buckets + `))`, "p95"},
			query{`histogram_quantile(0.5, sum by (le) (` + buckets + `))`, "p50"}).exemplars().logarithmic().size(12, 9),
		table("Slowest routes",
			"p95 by route over the time shown. The first is the one to speed up, if it is asked for often enough.",
			query{named(`histogram_quantile(0.95, sum by (http_route, le) (rate(http_server_request_duration_seconds_bucket{` + routes + `}[$__range])))`), ""},
			column{"http_route", "Route", ""}, column{"Value", "p95", "s"}).size(8, 8),
		series("p95 by route", "s",
			"Which route it is that got slower. With the cache's misses it is the origin; without them the replicas.",
			query{`histogram_quantile(0.95, sum by (http_route, le) (rate(http_server_request_duration_seconds_bucket{` + routes + `,http_route!=""}[$__rate_interval])))`, "{{http_route}}"}).
			logarithmic().explained("What a load costs", "cache"),
		series("p95 of calls made", "s",
			"How long the replicas' own calls through the load balancer took, the fan-out of /stats. Slower than /stats itself on the other side: the way between, see Stack.",
			query{`histogram_quantile(0.95, sum by (le) (rate(http_client_request_duration_seconds_bucket{` + replicas + `}[$__rate_interval])))`, "p95"}).
			explained("The load balancer", "stack"),
	)
	d.row("Saturation",
		series("Requests being answered", "short",
			"Open requests by replica. It climbs when answers take longer than requests take to come: a slow origin or too few replicas.",
			query{`sum by (instance) (http_server_active_requests{` + replicas + `})`, "{{instance}}"}).stacked().size(6, 8),
		series("Turned away", "short",
			"Requests a second that got 503 at once because too many were open, and connections that were closed to make room. More than one of a hundred requests is the alert RequestsShed.",
			query{`sum(rate(http_server_shed_requests_total{` + replicas + `}[$__rate_interval]))`, "requests"},
			query{`sum(rate(http_server_dropped_connections_total{` + replicas + `}[$__rate_interval]))`, "connections"}).size(6, 8),
		series("CPU of the limit", "percentunit",
			"Share of the processors that the replica may use (GOMAXPROCS). Near 100 % answers wait for a processor: more replicas.",
			query{`sum by (instance) (rate(process_cpu_seconds_total{` + replicas + `}[$__rate_interval])) / sum by (instance) (go_sched_gomaxprocs_threads{` + replicas + `})`, "{{instance}}"}).
			limits("green", 0.8, "red").explained("The runtime", "runtime").size(6, 8),
		series("Memory of the limit", "percentunit",
			"Share of the container's memory limit that is in use and cannot be given back. At 100 % the kernel kills the replica: a smaller VITRINE_CACHE_BYTES, or a higher limit.",
			query{`cgroup_memory_working_set_bytes{` + replicas + `} / cgroup_memory_limit_bytes{` + replicas + `}`, "{{instance}}"}).
			limits("green", 0.9, "red").explained("The runtime", "runtime").size(6, 8),
	)
	d.row("Replicas side by side",
		series("Requests by replica", "reqps",
			"They should be alike. One that gets less is slow to answer (the load balancer prefers the others) or was away.",
			query{`sum by (instance) (` + requests + `)`, "{{instance}}"}),
		series("p95 by replica", "s",
			"They should be alike. One alone that is slower has a neighbour, a limit or a cold cache of its own.",
			query{`histogram_quantile(0.95, sum by (instance, le) (` + buckets + `))`, "{{instance}}"}).logarithmic(),
		series("Failed by replica", "reqps",
			"Answers a second that are 5xx. One replica alone: restart it; all of them: what they share.",
			query{`sum by (instance) (` + failures + `) or 0 * sum by (instance) (` + requests + `)`, "{{instance}}"}).limits("green", 0.1, "red"),
		table("Versions",
			"Which version each replica runs. Two versions for longer than a rollout takes: one did not come up.",
			query{`up{` + replicas + `} * on (instance) group_left (service_version) target_info{job="service"}`, ""},
			column{"instance", "Replica", ""}, column{"service_version", "Version", ""}).size(16, 6),
		series("Panics", "short",
			"Handlers that panicked, each a 500 or a broken connection. Any is a fault in the code: the log line `panic` has the stack.",
			query{happened("instance", "http_server_panics_total{"+replicas+"}"), "{{instance}}"}).bars().limits("green", 1, "red").size(8, 6),
	)
	return d
}
