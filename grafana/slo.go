package main

func slo() *dashboard {
	d := newDashboard("slo", "SLO", "Are users getting what was promised, how fast is the error budget going, and where?", instanceVariable)
	d.Time = object{"from": "now-1h", "to": "now"}
	d.started()
	budget := func(title, slo, description string) *panel {
		return gauges(title, "percentunit", description,
			query{`clamp_min(vitrine:slo_budget_left:ratio{slo="` + slo + `"}, 0)`, "{{class}}"}).
			limits("red", 0.1, "yellow", 0.5, "green").max(1).size(5, 7)
	}
	burn := func(window, factor string, limit float64) *panel {
		return series("Burn rate over "+window, "short",
			"How many times too fast the budget went over "+window+"; 1 spends it in just 30 days. Above "+factor+", and above it in the short window too, ErrorBudgetBurn fires: docs/operations.md#errorbudgetburn.",
			query{`vitrine:slo_burn_rate:ratio{window="` + window + `"}`, "{{class}} {{slo}}"}).limits("green", limit, "red").size(12, 7)
	}
	d.row("What was promised",
		budget("Availability: budget left", "availability",
			"Of the failures (5xx) that 30 days allow, the share not yet used, of as many days as there are. Empty: no risky change until it grows again."),
		budget("Latency: budget left", "latency",
			"Of the slow answers that 30 days allow, the share not yet used. Page 0.1 s, map 0.5 s, slow 2.5 s, for 99 of 100."),
		matrix("Objectives", "percentunit",
			"What is promised: the share of requests that must be good. They are set in prometheus/rules/slo.yml.",
			"class", "slo", query{`vitrine:slo_objective:ratio`, ""}).size(10, 7),
		stat("Firing", "short", "Alerts that fire now. The table below names them; docs/operations.md has a section for each, with what to do.",
			`count(ALERTS{alertstate="firing"}) or vector(0)`).limits("green", 1, "red").whole().size(4, 7),
	)
	d.row("How fast it goes",
		burn("1h", "14.4", 14.4), burn("6h", "6", 6), burn("1d", "3", 3), burn("3d", "1", 1))
	d.row("Where it goes",
		series("Failures by route", "reqps",
			"5xx a second. The route that burns the availability of its class: open it on the dashboard Service.",
			query{`vitrine:slo_failures_by_route:rate5m{slo="availability"}`, "{{http_route}}"}).stacked().size(12, 8).explained("That route", "service"),
		series("Slow answers by route", "reqps",
			"Answers a second that took longer than promised. The route that burns the latency of its class; mostly its origin got slower.",
			query{`vitrine:slo_failures_by_route:rate5m{slo="latency"}`, "{{http_route}}"}).stacked().size(12, 8).explained("What a load costs", "cache"),
		table("Share of the failures, by route",
			"Of all failures and slow answers of the time shown, each route's share. Begin with the first.",
			query{`sum by (http_route, slo) (avg_over_time(vitrine:slo_failures_by_route:rate5m[$__range])) / on (slo) group_left () (sum by (slo) (avg_over_time(vitrine:slo_failures_by_route:rate5m[$__range])) > 0)`, ""},
			column{"Value", "Share", "percentunit"}, column{"slo", "Of", ""}, column{"http_route", "Route", ""}).empty("No failures").size(8, 8),
		table("Alerts",
			"Pending and firing alerts. Each has a section in docs/operations.md under its name.",
			query{`ALERTS`, ""}, column{"alertname", "Alert", ""}, column{"alertstate", "State", ""}, column{"severity", "Severity", ""},
			column{"class", "Class", ""}, column{"slo", "Of", ""}, column{"cache", "Cache", ""}, column{"instance", "Instance", ""}).empty("No alert").size(16, 8),
	)
	d.row("How the alerts came and went",
		states("Alerts over time", "short",
			"Yellow is pending, red firing. Compare its beginning with the starts and purges marked on the other panels.",
			query{`max by (alertname, class) (ALERTS{alertstate="firing"} * 2 or ALERTS{alertstate="pending"})`, "{{alertname}} {{class}}"}).
			names("", "pending", "firing").limits("green", 1, "yellow", 2, "red").empty("No alert in this time").size(24, 6),
	)
	return d
}
