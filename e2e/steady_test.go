//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"vitrine/e2e/stack"
)

// steadyRate is how many requests users begin, whatever becomes of the answers.
const steadyRate = 50

// steadyFault is something that happens while users ask.
type steadyFault struct {
	name string
	// do makes the fault and undoes it.
	do func(context.Context, *steady) error
}

// steady is one fault under way.
type steady struct {
	*testing.T
	began, over time.Time // of the fault
	// inFlight is how many requests the replica was answering that went away without a word: so many may fail.
	// In what is planned, and where users should notice nothing, none may.
	inFlight int
}

// TestSteady: while users ask at a steady rate, replicas are replaced, added, removed, killed, frozen and slow; Redis, Jaeger
// and Prometheus go and come back. VITRINE_TRANSCRIPT names a Markdown file whose table is written anew.
func TestSteady(t *testing.T) {
	t.Cleanup(func() { _ = exec.Command("docker", "rmi", release).Run() }) // a replica that did not go back holds it
	var table strings.Builder
	table.WriteString("| what happens | for | requests | failed | retried by nginx | p50 | p99 | p99 of hits | max | whole again after |\n")
	table.WriteString("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n")
	for _, fault := range steadyFaults {
		t.Run(fault.name, func(t *testing.T) { table.WriteString(underTraffic(t, fault)) })
	}
	t.Logf("\n%s", &table)
	// Others look for alerts of their own making.
	within(t, 3*time.Minute, func() error {
		up, err := running.Query(t.Context(), `count(up{job="service"} == 1)`)
		if err == nil && up[0].Point.Value() != 3 {
			err = fmt.Errorf("%g replicas are scraped", up[0].Point.Value())
		}
		for _, name := range []string{"ServiceDown", "ReplicaDown", "RedisDown", "CacheBreakerOpen", "ScrapeFailing", "LoadBalancerErrors"} {
			there, failure := running.Alerts(t.Context(), name, nil)
			if err == nil && failure == nil && len(there) > 0 {
				failure = fmt.Errorf("%s is %s", name, there[0].State)
			}
			if err == nil {
				err = failure
			}
		}
		return err
	})
	if file := os.Getenv("VITRINE_TRANSCRIPT"); file != "" && !t.Failed() {
		replaceTable(t, file, table.String())
	}
}

// underTraffic has the fault happen, and returns the table's line.
func underTraffic(t *testing.T, fault steadyFault) string {
	whole := func() error { return running.Serving(t.Context(), 3) }
	within(t, time.Minute, whole)
	start := time.Now()
	traffic, err := running.Traffic(t.Context(), steadyRate)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { traffic.Abandon(t.Context()) })
	settle(t, 3*time.Second)

	s := &steady{T: t, began: time.Now()}
	err = fault.do(t.Context(), s)
	if s.over.IsZero() {
		s.over = time.Now()
	}
	if err != nil {
		t.Error(err)
	}
	within(t, time.Minute, whole)
	mended := time.Now()
	within(t, time.Minute, everyReplicaIsAsked(t))
	settle(t, 2*time.Second)
	f, err := traffic.Stop(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if f.Failed > s.inFlight {
		t.Errorf("%d of %d requests failed, at most %d may", f.Failed, f.Requests, s.inFlight)
	}
	// Not the service's failure, but nobody knows what those users would have seen.
	if f.Dropped > 0 || f.Requests == 0 {
		t.Errorf("k6 could not keep the rate: %d requests, %d never begun", f.Requests, f.Dropped)
	}
	if len(f.Failures) > 0 {
		t.Logf("failures:\n%s", failures(f))
	}
	t.Logf("%d requests were in flight where there is no more answer, %d when the traffic was stopped", s.inFlight, f.Unfinished)
	ms := func(v float64) string {
		if v >= 999.5 {
			return fmt.Sprintf("%.1f s", v/1000)
		}
		return fmt.Sprintf("%.3g ms", v)
	}
	seconds := func(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
	return fmt.Sprintf("| %s |\n", strings.Join([]string{
		fault.name, seconds(s.over.Sub(s.began)), fmt.Sprint(f.Requests), fmt.Sprint(f.Failed), fmt.Sprint(retried(t, start)),
		ms(f.All.P50), ms(f.All.P99), ms(f.Hits.P99), ms(f.All.Max), seconds(mended.Sub(s.over)),
	}, " | "))
}

func settle(t *testing.T, d time.Duration) {
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}

// everyReplicaIsAsked has no objection once each replica has answered since it was last called.
func everyReplicaIsAsked(t *testing.T) func() error {
	before := map[string]float64{}
	return func() error {
		all, err := running.All(t.Context(), "service")
		if err != nil {
			return err
		}
		for _, one := range all {
			m, err := running.Metrics(t.Context(), one.ID)
			if err != nil {
				return err
			}
			answered := m.Sum("http_server_request_duration_seconds", nil)
			had, known := before[one.ID]
			if before[one.ID] = answered; !known || answered <= had {
				return fmt.Errorf("%s is not asked", one.ID)
			}
		}
		return nil
	}
}

// retried is how many answers came from a second replica, since then.
func retried(t *testing.T, since time.Time) (n int) {
	t.Helper()
	text, err := running.Compose(t.Context(), "logs", "--no-log-prefix", "--since", since.UTC().Format(time.RFC3339), "nginx")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(text) {
		var request struct{ Upstream string }
		if json.Unmarshal([]byte(line), &request) == nil && strings.Contains(request.Upstream, ", ") {
			n++
		}
	}
	return n
}

// failures are the first of them.
func failures(f stack.Figures) string {
	var lines []string
	for _, one := range f.Failures[:min(20, len(f.Failures))] {
		lines = append(lines, one.String())
	}
	return strings.Join(lines, "\n")
}

var markdownTable = regexp.MustCompile(`(?m)^\| what happens (?:.*\n)(?:\|.*\n)+`)

// replaceTable puts the table into the place of the one that a file has.
func replaceTable(t *testing.T, file, table string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(markdownTable.FindAll(text, -1)); n != 1 {
		t.Fatalf("%s has %d tables of what happens, want one", file, n)
	}
	if err := os.WriteFile(file, markdownTable.ReplaceAllLiteral(text, []byte(table)), 0o644); err != nil {
		t.Fatal(err)
	}
}
