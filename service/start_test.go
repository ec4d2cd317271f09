package main

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"

	"vitrine/telemetry/telemetrytest"
)

// TestMain hides what the environment says to the program.
func TestMain(m *testing.M) {
	if os.Getenv(hitServerVariable) != "" {
		if err := serveHits(); err != nil {
			panic(err)
		}
		return
	}
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		if strings.HasPrefix(name, "OTEL_") || strings.HasPrefix(name, "VITRINE_") {
			os.Unsetenv(name)
		}
	}
	os.Exit(m.Run())
}

// patience is how long a test waits for what must come; only a failure takes it.
const patience = time.Minute

// program is one that runs in this process.
type program struct {
	*server
	url, opsURL string
	logs        *telemetrytest.Log
	cancel      context.CancelFunc // is its SIGTERM
	ended       chan error
}

// environ looks up env, with listeners on free ports where it says nothing of them.
func environ(env map[string]string) func(string) string {
	all := map[string]string{"VITRINE_ADDR": "127.0.0.1:0", "VITRINE_OPS_ADDR": "127.0.0.1:0"}
	maps.Copy(all, env)
	return func(name string) string { return all[name] }
}

// start runs the program under env until the test ends, or until stop.
func start(t testing.TB, env map[string]string) *program {
	t.Helper()
	logs := new(telemetrytest.Log)
	t.Cleanup(func() { // after the program's end
		if t.Failed() {
			t.Logf("the log:\n%s", logs)
		}
	})
	p := startLogging(t, env, logs)
	p.logs = logs
	return p
}

// startLogging is start with the log elsewhere.
func startLogging(t testing.TB, env map[string]string, logs io.Writer) *program {
	t.Helper()
	cfg, err := configFrom(environ(env))
	if err != nil {
		t.Fatal(err)
	}
	p := &program{ended: make(chan error, 1)}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	p.cancel = cancel
	if p.server, err = newServer(ctx, cfg, logs); err != nil {
		cancel()
		t.Fatal(err)
	}
	p.url = "http://" + p.publicAt.Addr().String()
	p.opsURL = "http://" + p.opsAt.Addr().String()
	go func() { p.ended <- p.serve(ctx); close(p.ended) }()
	t.Cleanup(func() { p.stop(t) })
	return p
}

// stop ends the program, whose end must be orderly. What it logged is whole then.
func (p *program) stop(t testing.TB) {
	t.Helper()
	p.cancel()
	select {
	case err := <-p.ended: // nil also where somebody has seen the end
		if err != nil {
			t.Errorf("the program ended with %v", err)
		}
	case <-time.After(patience):
		t.Error("the program does not end")
	}
}

// family is the metric of that name.
func (p *program) family(t testing.TB, name string) *dto.MetricFamily {
	t.Helper()
	families, err := p.telemetry.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == name {
			return family
		}
	}
	t.Fatalf("no metric %s", name)
	return nil
}

// value is that of a gauge or counter without labels.
func (p *program) value(t testing.TB, name string) float64 {
	t.Helper()
	m := p.family(t, name).GetMetric()[0]
	return m.GetGauge().GetValue() + m.GetCounter().GetValue() // it is one or the other
}

// answer is a response with its body read.
type answer struct {
	*http.Response
	body string
}

// ask sends one request on a connection of its own, so that no idle one holds up a shutdown.
func ask(t testing.TB, method, url string, header ...string) answer {
	t.Helper()
	a, err := try(t, method, url, header...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func get(t testing.TB, url string, header ...string) answer {
	t.Helper()
	return ask(t, http.MethodGet, url, header...)
}

// try is ask for goroutines of a test and for requests that may fail. header is names and values in turn.
func try(t testing.TB, method, url string, header ...string) (answer, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return answer{}, err
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	req.Host = req.Header.Get("Host") // empty: the URL's
	res, err := (&http.Transport{DisableKeepAlives: true, DisableCompression: true}).RoundTrip(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return answer{res, string(body)}, err
}

// want checks the status and the media type.
func (a answer) want(t *testing.T, status int, mediaType string) {
	t.Helper()
	if got := a.Header.Get("Content-Type"); a.StatusCode != status || !strings.HasPrefix(got, mediaType) {
		t.Errorf("%s: status %d, %q; want %d, %q:\n%.300q", a.Request.URL, a.StatusCode, got, status, mediaType, a.body)
	}
}

// json decodes the body.
func (a answer) json(t *testing.T, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), into); err != nil {
		t.Errorf("%v in %q", err, a.body)
	}
}

// eventually waits until ok, of which what is a description.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s never came", what)
		}
	}
}
