package main

func cache() *dashboard {
	const (
		answers = `rate(cache_requests_total{` + caches + `}[$__rate_interval])`
		hits    = `rate(cache_requests_total{` + caches + `,outcome=~"hit|stale|stale_error"}[$__rate_interval])`
		loads   = `rate(cache_load_duration_seconds_count{` + caches + `}[$__rate_interval])`
		spent   = `rate(cache_load_duration_seconds_sum{` + caches + `}[$__rate_interval])`
		saved   = `rate(cache_saved_seconds_total{` + caches + `}[$__rate_interval])`
		load    = `rate(cache_load_duration_seconds_bucket{` + caches + `}[$__rate_interval])`
		lag     = `rate(cache_coherence_lag_seconds_bucket{` + replicas + `}[$__rate_interval])`
		store   = `rate(cache_store_duration_seconds_bucket{` + replicas + `,store="redis"}[$__rate_interval])`
	)
	d := newDashboard("cache", "Cache", "What the cache did, what it saved, and whether more memory would help",
		instanceVariable, cacheVariable)
	d.started()
	d.annotate("Purges", "red", `sum by (cache, scope) (increase(cache_purges_total{`+caches+`}[1m])) > 0`,
		"purge of {{cache}}", "by {{scope}}", false)
	d.row("What it did",
		stat("Hit ratio", "percentunit",
			"Share of answers that nobody had to work for, those that the rules forbid to cache left out. Low: What if says whether memory helps, Evictions whether it is short.",
			`sum(`+hits+`) / sum(rate(cache_requests_total{`+caches+`,outcome!="bypass"}[$__rate_interval]))`).limits("red", 0.3, "yellow", 0.5, "green"),
		stat("Origin time saved", "suffix:s/s",
			"Seconds of the origin's work that hits made unnecessary, each second. Above 1, the cache stands in for more than one origin.",
			`sum(`+saved+`)`),
		stat("Origin time spent", "suffix:s/s",
			"Seconds of the origin's work, each second: so many loads run at a time. Far above what is saved: little comes twice.",
			`sum(`+spent+`)`),
		stat("Waiters a load, now", "short",
			"Requests that waited for another's load instead of running their own, for each load. It climbs with a stampede, which is what it is for.",
			`sum(rate(cache_requests_total{`+caches+`,outcome="coalesced"}[$__rate_interval])) / (sum(`+loads+`) > 0) or 0 * sum(`+loads+`)`),
		stat("Full", "percentunit",
			"Of the memory that near tiers may use, the fullest cache. Full is as it should be; it matters where What if shows a rise to the right.",
			`max(cache_bytes{`+caches+`} / cache_capacity_bytes{`+caches+`})`),
		stat("Redis", "short",
			"Whether calls of Redis are made or left out. Left out: Redis fails, replicas are on their own; see Redis below.",
			`max(cache_breaker_state{`+replicas+`})`).names("in use", "left out").limits("green", 1, "red").explained("Redis", "stack"),
		series("Outcomes", "reqps",
			"How answers came about. Green is the cache's work, orange the origin's; blue waited for an orange one. Red was turned away: docs/operations.md#loadsrejected.",
			query{`sum by (outcome) (` + answers + `)`, "{{outcome}}"}).stacked().size(12, 8),
		series("Hit ratio by tier", "percentunit",
			"Where hits were found: near is this replica's memory, far is Redis. Far alone: replicas started anew or near tiers too small; neither: the keys are new.",
			query{`sum by (tier) (rate(cache_requests_total{` + caches + `,outcome=~"hit|stale|stale_error"}[$__rate_interval])) / on () group_left () sum(rate(cache_requests_total{` + caches + `,outcome!="bypass"}[$__rate_interval]))`, "{{tier}}"}).
			stacked().max(1).size(12, 8),
	)
	d.row("What it saved",
		series("Origin time saved and spent", "suffix:s/s",
			"Seconds of the origin's work in each second: what hits saved, and what loads cost. Spent above saved: little comes twice, or it is forgotten too soon (VITRINE_CACHE_TTL).",
			query{`sum(` + saved + `)`, "saved"}, query{`sum(` + spent + `)`, "spent"}),
		series("Hit ratio by cache", "percentunit",
			"Which cache it is. Compare its own past: HitRatioCollapsed fires at half of its week's.",
			query{`sum by (cache) (` + hits + `) / sum by (cache) (rate(cache_requests_total{` + caches + `,outcome!="bypass"}[$__rate_interval]))`, "{{cache}}"}).max(1),
		series("Age of answers", "s",
			"How old what was kept was when it was served (p95 and p50). More than the TTL: stale answers.",
			query{`histogram_quantile(0.95, sum by (le) (rate(cache_age_seconds_bucket{` + caches + `}[$__rate_interval])))`, "p95"},
			query{`histogram_quantile(0.5, sum by (le) (rate(cache_age_seconds_bucket{` + caches + `}[$__rate_interval])))`, "p50"}),
	)
	d.row("What loads cost",
		series("Duration of loads", "s",
			"What the origin takes (p95), by cache; a dot is one of them and leads to its trace. Twice its usual time is the alert OriginSlow: docs/operations.md#originslow.",
			query{`histogram_quantile(0.95, sum by (cache, le) (` + load + `))`, "{{cache}}"}).exemplars().logarithmic(),
		series("Loads by result", "ops",
			"Loads a second. Errors are the origin's: 5xx, where no old answer stands in for them.",
			query{`sum by (result) (` + loads + `)`, "{{result}}"}).stacked(),
		series("Waiters a load", "short",
			"Requests that shared another's load, for each load. Without coalescing each of them were a load of its own.",
			query{`sum by (cache) (rate(cache_requests_total{` + caches + `,outcome="coalesced"}[$__rate_interval])) / (sum by (cache) (` + loads + `) > 0) or 0 * sum by (cache) (` + loads + `)`, "{{cache}}"}),
		series("Stale answers", "reqps",
			"Answers past their TTL: served at once while a refresh runs (stale), or because the origin failed (stale_error). Much of the second: the origin is ill and users do not know.",
			query{`sum by (outcome) (rate(cache_requests_total{` + caches + `,outcome=~"stale|stale_error"}[$__rate_interval]))`, "{{outcome}}"}),
		series("Turned away", "reqps",
			"Requests that got 503 because too many loads ran. Any is the alert LoadsRejected.",
			query{`sum by (cache) (rate(cache_requests_total{` + caches + `,outcome="rejected"}[$__rate_interval]))`, "{{cache}}"}).limits("green", 0.01, "red"),
		series("Purges", "short",
			"Purges asked for. A fall of the hit ratio right after one is its price.",
			query{happened("cache", "cache_purges_total{"+caches+"}"), "{{cache}}"}).bars(),
	)
	d.row("What if there were more memory?",
		gauges("What if: hit ratio by capacity", "percentunit",
			"What the hit ratio of the near tiers would have been at ¼ to 8 times their capacity, simulated while they run (docs/design.md). It rises to the right of 1: memory helps. It is flat to the left of 1: memory could be had back. Blue is what there is now.",
			query{`avg by (cache, capacity) (cache_whatif_hit_ratio{` + caches + `})`, "{{cache}} × {{capacity}}"}).max(1).marked(`/× 1$/`, "blue").size(12, 14),
		matrix("What if: origin time saved a day", "s",
			"For ¼ to 8 times the capacity: the change of hit ratio, times requests, times what a load costs now. Below 0 is what a smaller near tier would cost. Weigh it against the memory's price.", "capacity", "cache",
			query{`86400 * (avg by (cache, capacity) (cache_whatif_hit_ratio{` + caches + `}) - on (cache) group_left () avg by (cache) (cache_whatif_hit_ratio{` + caches + `,capacity="1"})) * on (cache) group_left () sum by (cache) (rate(cache_requests_total{` + caches + `}[$__range])) * on (cache) group_left () (sum by (cache) (rate(cache_load_duration_seconds_sum{` + caches + `}[$__range])) / (sum by (cache) (rate(cache_load_duration_seconds_count{` + caches + `}[$__range])) > 0))`, ""}).size(12, 8),
		series("How full", "percentunit",
			"Share of its capacity that each near tier uses, the fullest replica. At 100 % something leaves for everything that comes.",
			query{`max by (cache) (cache_bytes{` + caches + `} / cache_capacity_bytes{` + caches + `})`, "{{cache}}"}).max(1).size(12, 6).under(),
		series("Evictions by cause", "short",
			"Entries a second that left a near tier: expired is their time, size is want of room. Much of size, with a rise in What if: a larger VITRINE_CACHE_BYTES.",
			query{`sum by (cause) (rate(cache_evictions_total{` + caches + `}[$__rate_interval]))`, "{{cause}}"}).stacked().size(12, 8),
		series("Entries", "short",
			"Entries in the near tiers, of all replicas. It falls to 0 with a restart.",
			query{`sum by (cache) (cache_entries{` + caches + `})`, "{{cache}}"}).size(12, 8),
	)
	d.row("The tier that replicas share",
		series("Redis, seen from here", "s",
			"What a call costs a replica (p95), the way and decoding included. Far above the next panel: the network or the pool, not Redis.",
			query{`histogram_quantile(0.95, sum by (op, le) (` + store + `))`, "{{op}}"}).logarithmic(),
		series("Redis, seen from Redis", "s",
			"What a command costs Redis on average, from its own counters. It is microseconds; above, something else runs in it (SLOWLOG).",
			query{`sum by (cmd) (rate(redis_commands_duration_seconds_total{cmd=~"get|set|del|evalsha|publish"}[$__rate_interval])) / (sum by (cmd) (rate(redis_commands_total{cmd=~"get|set|del|evalsha|publish"}[$__rate_interval])) > 0)`, "{{cmd}}"}).
			logarithmic().explained("Redis", "stack"),
		series("Calls by result", "ops",
			"Calls of Redis a second: a miss is no error. Errors cost their caller milliseconds and no answer.",
			query{`sum by (result) (rate(cache_store_duration_seconds_count{` + replicas + `,store="redis"}[$__rate_interval]))`, "{{result}}"}).stacked(),
		states("Breaker", "short",
			"When a replica left Redis out. Red on one: its network; red on all: Redis.",
			query{`max by (instance) (cache_breaker_state{` + replicas + `})`, "{{instance}}"}).names("in use", "left out").limits("green", 1, "red"),
		series("Coherence lag", "s",
			"How long a purge or a new value took to reach the other replicas (p99); 0 while there was none. Above 1 s is the alert NearTiersDisagree.",
			query{`histogram_quantile(0.99, sum by (le) (` + lag + `)) and on () sum(rate(cache_coherence_lag_seconds_count{` + replicas + `}[$__rate_interval])) > 0 or 0 * sum(rate(cache_coherence_lag_seconds_count{` + replicas + `}[$__rate_interval]))`, "p99"}).
			limits("green", 1, "red"),
		series("Connections to Redis", "short",
			"Used and idle connections of all replicas, and requests that wait for one. Any that wait: a larger pool (pool_size in VITRINE_REDIS_URL).",
			query{`sum by (db_client_connection_state) (db_client_connection_count{` + replicas + `})`, "{{db_client_connection_state}}"},
			query{`sum(db_client_connection_pending_requests{` + replicas + `})`, "waiting"}).stacked(),
	)
	return d
}
