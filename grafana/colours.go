package main

import (
	"cmp"
	"strings"
)

// colour is what a series of that name has, wherever it stands.
type colour struct{ name, color string }

// colours are those of the words that a legend's label takes, or of the legend itself.
var colours = []struct {
	legend string
	words  []colour
}{
	{"{{outcome}}", []colour{
		{"hit", "green"}, {"stale", "light-green"}, {"stale_error", "yellow"}, {"miss", "orange"}, {"coalesced", "blue"},
		{"revalidated", "light-blue"}, {"bypass", "text"}, {"rejected", "red"},
	}},
	{"{{tier}}", []colour{{"near", "dark-green"}, {"far", "light-green"}, {"none", "orange"}}},
	{"{{result}}", []colour{{"ok", "green"}, {"miss", "orange"}, {"error", "red"}, {"corrupt", "dark-red"}}},
	{"{{http_response_status_code}}", []colour{
		{`/^2\d\d$/`, "green"}, {`/^3\d\d$/`, "blue"}, {`/^4\d\d$/`, "yellow"}, {`/^5\d\d$/`, "red"}, {"0", "text"}, {"(no answer)", "dark-red"},
	}},
	// What stands under a route stands under its cache, too.
	{"{{cache}}", []colour{{"slow", "purple"}, {"stats", "dark-blue"}, {"tiles", "#00a3a3"}}},
	{"{{http_route}}", []colour{
		{"/slow", "purple"}, {"/stats/{z}/{x}/{y}", "dark-blue"}, {"/tiles/{z}/{x}/{y}", "#00a3a3"}, {"/health", "light-green"},
		{"/{$}", "light-orange"}, {"/assets/{name...}", "light-yellow"}, {"/minute", "yellow"}, {"/stampede", "orange"}, {"(no route)", "text"},
	}},
	{"{{op}}", operations}, {"{{cmd}}", operations},
	{"{{cause}}", []colour{{"expired", "light-green"}, {"size", "orange"}}},
	{"{{db_client_connection_state}}", []colour{{"idle", "light-green"}, {"used", "green"}}},
	{"", []colour{
		{"p50", "green"}, {"p95", "yellow"}, {"p99", "orange"}, {"limit", "red"},
		{"saved", "green"}, {"spent", "orange"}, {"waiting", "orange"}, {"used", "blue"}, {"managed", "blue"}, {"live", "green"},
		{"idle", "light-green"}, {"answering", "green"}, {"reading", "blue"}, {"other", "text"},
	}},
}

var operations = []colour{{"get", "blue"}, {"mget", "light-blue"}, {"set", "purple"}, {"delete", "orange"}, {"del", "orange"}, {"unlink", "light-orange"}}

// override gives the series or columns that a matcher finds properties of their own.
func override(matcher, names string, properties ...object) object {
	return object{"matcher": object{"id": matcher, "options": names}, "properties": properties}
}

// fixed is the property of a colour.
func fixed(color string) object {
	return object{"id": "color", "value": object{"mode": "fixed", "fixedColor": color}}
}

// coloursOf are the overrides that a panel of these queries needs.
func coloursOf(queries []query) []object {
	overrides := []object{}
	for _, group := range colours {
		for _, c := range group.words {
			for _, q := range queries {
				if q.legend != cmp.Or(group.legend, c.name) {
					continue
				}
				matcher := "byName"
				if strings.HasPrefix(c.name, "/^") {
					matcher = "byRegexp"
				}
				properties := []object{fixed(c.color)}
				if c.name == "limit" { // a line to stay below
					properties = append(properties, object{"id": "custom.lineStyle", "value": object{"fill": "dash", "dash": []int{10, 10}}})
				}
				overrides = append(overrides, override(matcher, c.name, properties...))
			}
		}
	}
	return overrides
}
