package e2e

import (
	"encoding/json"
	"net/url"
	"os/exec"
	"testing"
	"time"

	"vitrine/e2e/component"
)

// TestSpanLinks: what jaeger/ui.js makes of a span's attribute is the dashboard's address, its variable and the time
// around the trace.
func TestSpanLinks(t *testing.T) {
	const script = `
		globalThis.location = { protocol: 'http:', hostname: 'example.test' };
		const ui = require('fs').readFileSync('../jaeger/ui.js', 'utf8');
		const values = JSON.parse(process.argv[1]);
		const patterns = new Function(ui + '; return UIConfig()')().linkPatterns;
		console.log(JSON.stringify(patterns.map(p => ({ key: p.key, url: p.url.template(values) }))));`
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	values, err := json.Marshal(map[string]any{
		"http.route": "/tiles/{z}/{x}/{y}", "cache.name": "a&b",
		"trace.startTime": start.UnixMicro(), "trace.endTime": start.Add(time.Second).UnixMicro(),
	})
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(component.Command(t, "node"), "-e", script, string(values)).Output()
	if err != nil {
		t.Fatal(err)
	}
	var links []struct{ Key, URL string }
	if err := json.Unmarshal(out, &links); err != nil || len(links) != 2 {
		t.Fatalf("%v: %s", err, out)
	}
	const from, to = "1772366100000", "1772366701000" // 11:55:00 and 12:05:01, in milliseconds
	want := map[string]url.Values{
		"http.route": {"var-route": {"/tiles/{z}/{x}/{y}"}, "from": {from}, "to": {to}},
		"cache.name": {"var-cache": {"a&b"}, "from": {from}, "to": {to}},
	}
	for _, link := range links {
		u, err := url.Parse(link.URL)
		if err != nil || u.Scheme != "http" || u.Host != "example.test:3000" || u.Query().Encode() != want[link.Key].Encode() {
			t.Errorf("%s leads to %s, %v; want %v", link.Key, link.URL, err, want[link.Key])
		}
	}
}
