//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"vitrine/e2e/stack"
)

// coldTile names a tile two levels above leaves that nobody has asked for.
func coldTile() string {
	const z = 15
	return fmt.Sprintf("%d/%d/%d", z, rand.IntN(1<<z), rand.IntN(1<<z))
}

// traceOf asks the site for a path, and returns the id of the trace.
func traceOf(t *testing.T, path string) string {
	t.Helper()
	header, _, err := stack.Get(t.Context(), running.Site+path)
	if err != nil {
		t.Fatal(err)
	}
	id, err := stack.TraceID(header)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestColdStatsIsOneTrace(t *testing.T) {
	id := traceOf(t, "/stats/"+coldTile())
	// The tile, its four children and their sixteen: a server span, a load, and three calls of Redis each (is it
	// there, may I load it, here it is), and a client span for each but the first.
	want := map[string]int{"server": 21, "load": 21, "read": 21, "EVALSHA acquire": 21, "EVALSHA fill": 21, "client": 20}
	var tr stack.Trace
	within(t, time.Minute, func() error {
		var err error
		if tr, err = running.Trace(t.Context(), id); err != nil {
			return err
		}
		return complete(tr, want)
	})

	byID := map[string]stack.Span{}
	instances := tr.Instances()
	var roots []string
	for _, s := range tr.Spans {
		byID[s.SpanID] = s
		if s.Parent() == "" {
			roots = append(roots, s.OperationName)
		}
	}
	t.Logf("trace %s: %d spans of %d replicas, %v", id, len(tr.Spans), len(instances), want)
	if len(roots) != 1 {
		t.Errorf("roots %q, want one", roots)
	}
	if len(instances) < 2 {
		t.Errorf("instances %v, want at least two", instances)
	}
	for _, s := range tr.Spans {
		if s.Parent() == "" {
			continue
		}
		p, ok := byID[s.Parent()]
		if !ok {
			t.Errorf("%s has a parent that is not in the trace", s.OperationName)
			continue
		}
		// All clocks are this machine's, and Jaeger keeps microseconds.
		const tolerance = 1000
		if s.StartTime < p.StartTime-tolerance || s.StartTime+s.Duration > p.StartTime+p.Duration+tolerance {
			t.Errorf("%s (%d, %d µs) is not within its parent %s (%d, %d µs)",
				s.OperationName, s.StartTime, s.Duration, p.OperationName, p.StartTime, p.Duration)
		}
		if err := nested(s, p); err != nil {
			t.Error(err)
		}
	}
	sameTraceInLog(t, id)
}

// kindOf sorts the service's own spans; nginx', where its image traces, are not counted.
func kindOf(tr stack.Trace, s stack.Span) string {
	switch {
	case tr.Processes[s.ProcessID].ServiceName != "vitrine":
		return "other"
	case s.OperationName == "cache.load stats":
		return "load"
	case s.Tags.Get("db.system.name") == "redis":
		switch {
		case s.OperationName == "GET", s.OperationName == "MGET": // some share a call
			return "read"
		case strings.HasPrefix(s.OperationName, "EVALSHA "):
			return s.OperationName
		}
		return "handshake" // of a new connection
	}
	return s.Tags.Get("span.kind")
}

func complete(tr stack.Trace, want map[string]int) error {
	got := map[string]int{}
	for _, s := range tr.Spans {
		got[kindOf(tr, s)]++
	}
	for kind, n := range want {
		if got[kind] != n {
			return fmt.Errorf("spans %v, want %v", got, want)
		}
	}
	return nil
}

// nested tells whether a parent of this name may have a child of that.
func nested(s, p stack.Span) error {
	ok := true
	switch {
	case s.OperationName == "cache.load stats", s.OperationName == "GET", s.OperationName == "MGET":
		ok = strings.HasPrefix(p.OperationName, "GET /stats/")
	case strings.HasPrefix(s.OperationName, "EVALSHA "):
		ok = p.OperationName == "cache.load stats"
	case s.Tags.Get("span.kind") == "client" && strings.HasPrefix(s.OperationName, "HTTP"):
		ok = p.OperationName == "cache.load stats"
	}
	if !ok {
		return fmt.Errorf("%s stands under %s", s.OperationName, p.OperationName)
	}
	return nil
}

// sameTraceInLog finds the access line of a request by its trace.
func sameTraceInLog(t *testing.T, id string) {
	t.Helper()
	within(t, 10*time.Second, func() error {
		log, err := running.Compose(t.Context(), "logs", "--no-log-prefix", "service")
		if err != nil {
			return err
		}
		n := 0
		for line := range strings.Lines(log) {
			if strings.Contains(line, `"msg":"request"`) && strings.Contains(line, `"trace_id":"`+id+`"`) {
				n++
			}
		}
		if n != 21 {
			return fmt.Errorf("%d access lines carry the trace, want 21", n)
		}
		return nil
	})
}

func TestExemplarLeadsToItsTrace(t *testing.T) {
	within(t, time.Minute, func() error {
		var answer struct {
			Data []struct {
				Exemplars []struct{ Labels map[string]string }
			}
		}
		now := time.Now()
		err := stack.GetJSON(t.Context(), fmt.Sprintf("%s/api/v1/query_exemplars?query=http_server_request_duration_seconds_bucket&start=%d&end=%d",
			running.Prometheus, now.Add(-time.Minute).Unix(), now.Unix()), &answer)
		if err != nil {
			return err
		}
		err = errors.New("no exemplars")
		for _, series := range answer.Data {
			for _, e := range series.Exemplars {
				id := e.Labels["trace_id"]
				tr, jaegerErr := running.Trace(t.Context(), id)
				if jaegerErr == nil {
					t.Logf("exemplar %s is a trace of %d spans", id, len(tr.Spans))
					return nil
				}
				err = jaegerErr
			}
		}
		return err
	})
}
