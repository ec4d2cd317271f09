package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"vitrine/e2e/browser"
	"vitrine/e2e/stack"
)

// panel waits until the first sample of a panel's expression is as it should be.
func (a *act) panel(ctx context.Context, name, promql string, good func(float64) bool) error {
	return a.see(ctx, "panel", name, 5*time.Minute, func() (string, error) {
		samples, err := a.Query(ctx, promql)
		if err != nil {
			return "", err
		}
		v := samples[0].Point.Value()
		if !good(v) {
			return "", fmt.Errorf("%g: %s", v, promql)
		}
		return fmt.Sprintf("%.3g", v), nil
	})
}

// quiet fails if an alert is there before its fault is.
func (a *act) quiet(ctx context.Context, name string, labels map[string]string) error {
	return a.see(ctx, "before", fmt.Sprintf("no alert %s %v", name, labels), 10*time.Minute, func() (string, error) {
		there, err := a.Alerts(ctx, name, labels)
		if err == nil && len(there) > 0 {
			err = fmt.Errorf("it is %s since %s", there[0].State, there[0].ActiveAt.Format(time.TimeOnly))
		}
		return "right", err
	})
}

// alert waits until it fires, and Alertmanager has it.
func (a *act) alert(ctx context.Context, name string, labels map[string]string) error {
	if err := a.see(ctx, "alert", name+" fires", 8*time.Minute, func() (string, error) {
		there, err := a.Alerts(ctx, name, labels)
		if err != nil {
			return "", err
		}
		for _, one := range there {
			if one.State == "firing" {
				return fmt.Sprintf("%v, pending from %.0f s on", labels, one.ActiveAt.Sub(a.began).Seconds()), nil
			}
		}
		return "", fmt.Errorf("%d alerts, none fires", len(there))
	}); err != nil {
		return err
	}
	return a.see(ctx, "alert", name+" has reached Alertmanager", time.Minute, func() (string, error) {
		text, err := a.Compose(ctx, "exec", "-T", "prometheus", "wget", "-q", "-O", "-", "http://alertmanager:9093/api/v2/alerts")
		if err != nil {
			return "", err
		}
		var there []struct {
			Labels    map[string]string
			Receivers []struct{ Name string }
		}
		if err := json.Unmarshal([]byte(text), &there); err != nil {
			return "", err
		}
		for _, one := range there {
			if one.Labels["alertname"] == name && len(one.Receivers) > 0 {
				return "its receiver is " + one.Receivers[0].Name, nil
			}
		}
		return "", fmt.Errorf("it has %d alerts, and none of that name", len(there))
	})
}

// resolved waits until an alert fires no more.
func (a *act) resolved(ctx context.Context, name string, labels map[string]string) error {
	return a.see(ctx, "alert", name+" is over", 3*time.Minute, func() (string, error) {
		there, err := a.Alerts(ctx, name, labels)
		if err == nil && len(there) > 0 {
			err = errors.New("it is " + there[0].State)
		}
		return "resolved", err
	})
}

// logged waits for a line of a service's log, since the fault, that has all of these words.
func (a *act) logged(ctx context.Context, service, what string, words ...string) error {
	return a.see(ctx, "log", what, time.Minute, func() (string, error) {
		text, err := a.Compose(ctx, "logs", "--no-log-prefix", "--since", a.began.UTC().Format(time.RFC3339), service)
		if err != nil {
			return "", err
		}
		for line := range strings.Lines(text) {
			if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(line, w) }) {
				return strings.TrimSpace(line), nil
			}
		}
		return "", fmt.Errorf("no line has %q", words)
	})
}

// strip is a window for a page that is short.
var strip = browser.Size{Width: browser.Desk.Width, Height: 450}

// picture keeps what a page shows, once it shows the words, where pictures are wanted.
func (a *act) picture(ctx context.Context, size browser.Size, address string, words ...string) error {
	if a.pictures == "" {
		return nil
	}
	file := filepath.Join(a.pictures, "drill-"+a.name+".png")
	if err := browser.Look(ctx, a.chromium, browser.Page{URL: address, Size: size, Words: words}, file); err != nil {
		return err
	}
	a.tell("look", fmt.Sprintf("%s of %s", file, address))
	return nil
}

// prometheus is the address of Prometheus' graph or table of an expression.
func (a *act) prometheus(tab, promql string) string {
	return a.Prometheus + "/query?" + url.Values{"g0.expr": {promql}, "g0.tab": {tab}, "g0.range_input": {"5m"}}.Encode()
}

// answersOf counts how a cache's answers of the last while came about.
func answersOf(cache, within string) string {
	requests := fmt.Sprintf(`cache_requests_total{cache=%q}`, cache)
	return fmt.Sprintf(`sum by (outcome) (%s - %s offset %s) > 0`, requests, requests, within)
}

// traced asks the site for a path until the answer's trace is as it should be.
func (a *act) traced(ctx context.Context, what string, path func() string, status int, good func(stack.Trace) (string, error)) error {
	return a.see(ctx, "trace", what, time.Minute, func() (string, error) {
		asked, err := a.ask(ctx, path())
		if err != nil {
			return "", err
		}
		if asked.status != status {
			return "", fmt.Errorf("status %d, want %d", asked.status, status)
		}
		a.trace = asked.trace
		var saw string
		err = stack.Within(ctx, 20*time.Second, func() error {
			t, err := a.Trace(ctx, asked.trace)
			if err == nil {
				saw, err = good(t)
			}
			return err
		})
		return fmt.Sprintf("%s (%s)", saw, asked.trace), err
	})
}

// place is a path of an endpoint for one of so many tiles that nobody has asked for it.
func place(endpoint string) string {
	const z = 15
	return fmt.Sprintf("/%s/%d/%d/%d", endpoint, z, rand.IntN(1<<z), rand.IntN(1<<z))
}

// asked is an answer.
type asked struct {
	status  int
	outcome string // of Cache-Status: hit, collapsed or the reason why it was forwarded
	trace   string
	took    time.Duration
}

func (a *act) ask(ctx context.Context, path string) (asked, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.Site+path, nil)
	if err != nil {
		return asked{}, err
	}
	began := time.Now()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return asked{}, err
	}
	res.Body.Close()
	// An answer of nginx' own has no trace.
	trace, _ := stack.TraceID(res.Header)
	text := res.Header.Get("Cache-Status")
	outcome := "none"
	for _, word := range []string{"collapsed", "hit", "fwd"} {
		if strings.Contains(text, "; "+word) {
			outcome = word
			break
		}
	}
	return asked{res.StatusCode, outcome, trace, time.Since(began)}, nil
}

// crowd has so many ask at once.
func (a *act) crowd(ctx context.Context, n int, path func() string) ([]asked, error) {
	answers, errs := make([]asked, n), make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { answers[i], errs[i] = a.ask(ctx, path()) })
	}
	all.Wait()
	return answers, errors.Join(errs...)
}

// users ask while the drill goes on.
type users struct {
	cancel context.CancelFunc
	done   sync.WaitGroup

	statuses map[int]int // 0: no answer
	slowest  time.Duration
}

// users begin to ask for the paths in turn, ten times a second.
func (a *act) users(ctx context.Context, paths ...func() string) *users {
	ctx, cancel := context.WithCancel(ctx)
	u := &users{cancel: cancel, statuses: map[int]int{}}
	u.done.Go(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			answer, err := a.ask(ctx, paths[i%len(paths)]())
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				answer.status = 0
			}
			u.statuses[answer.status]++
			u.slowest = max(u.slowest, answer.took)
		}
	})
	return u
}

// stop tells how the users fared, and fails if more of them than allowed did not get what they asked for.
func (u *users) stop(a *act, allowed int) error {
	u.cancel()
	u.done.Wait()
	all, failed := 0, 0
	var parts []string
	for _, status := range slices.Sorted(maps.Keys(u.statuses)) {
		n := u.statuses[status]
		all += n
		if status != http.StatusOK {
			failed += n
		}
		parts = append(parts, fmt.Sprintf("%d × %d", n, status))
	}
	a.tell("users", fmt.Sprintf("%d asked, %d got no good answer (%s), the slowest waited %s",
		all, failed, strings.Join(parts, ", "), u.slowest.Round(time.Millisecond)))
	if failed > allowed {
		return fmt.Errorf("%d of %d users got no good answer, at most %d may", failed, all, allowed)
	}
	return nil
}
