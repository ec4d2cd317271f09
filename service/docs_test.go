package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"vitrine/e2e/component"
)

// listed are the rows of the tables under a heading of docs/signals.md: the names in the first cell, each
// with the other cells.
func listed(t *testing.T, heading, first string) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("../docs/signals.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(text), "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("docs/signals.md has no %s", heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	rows, in := map[string][]string{}, false
	for line := range strings.Lines(section) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		switch {
		case len(cells) < 3:
			in = false
		case strings.TrimSpace(cells[1]) == first:
			in = true
		case in:
			for _, name := range quoted(cells[1]) {
				rows[name] = cells[2 : len(cells)-1]
			}
		}
	}
	if len(rows) < 4 {
		t.Fatalf("only %d rows of %s", len(rows), heading)
	}
	return rows
}

var backticks = regexp.MustCompile("`([^`]+)`")

func quoted(cell string) (names []string) {
	for _, m := range backticks.FindAllStringSubmatch(cell, -1) {
		names = append(names, m[1])
	}
	return names
}

// busy is what two replicas with one Redis left behind that have done all that the program can do.
type busy struct {
	*program
	spans []sdktrace.ReadOnlySpan
}

func makeBusy(t *testing.T) busy {
	t.Helper()
	server := component.Redis(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1") // its counters are there also where nobody listens
	env := map[string]string{"VITRINE_CACHE": "tiered", "VITRINE_REDIS_URL": server.URL(), "VITRINE_SLOW_DELAY": "1ms", "VITRINE_FAULTS": "true"}
	p, other := start(t, env), start(t, env)
	recorder := tracetest.NewSpanRecorder()
	p.telemetry.TracerProvider.(*sdktrace.TracerProvider).RegisterSpanProcessor(recorder)
	get(t, other.url+"/tiles/1/0/0")
	for _, path := range []string{"/slow", "/slow", "/tiles/1/0/0", "/stats/0/0/0", "/nowhere"} {
		get(t, p.url+path)
	}
	ask(t, http.MethodPost, p.url+"/slow", "User-Agent", "test")
	ask(t, "BREW", p.url+"/slow")
	get(t, p.url+"/slow", "Authorization", "Bearer of tidings")
	p.telemetry.Server(panicking(), nil).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
	ask(t, http.MethodPut, p.opsURL+"/debug/faults?cache=tiles&delay=1ms&error_rate=1")
	get(t, p.url+"/tiles/1/1/0")
	askRedis(t, p, recorder)
	waitAndRefresh(t, p, other, recorder)
	get(t, p.opsURL+"/metrics")
	return busy{p, recorder.Ended()}
}

// askRedis brings about what no request is sure to: a call that is shared, a new connection, and an error of Redis.
func askRedis(t *testing.T, p *program, recorder *tracetest.SpanRecorder) {
	t.Helper()
	if err := p.redis.RPush(t.Context(), "list", "value").Err(); err != nil {
		t.Fatal(err)
	}
	ctx, span := p.telemetry.TracerProvider.Tracer("test").Start(t.Context(), "ask")
	defer span.End()
	if err := p.redis.MGet(ctx, "list").Err(); err != nil {
		t.Fatal(err)
	}
	for handshakes := 0; handshakes == 0; {
		conn := p.redis.(*redis.Client).Conn()
		defer func() { _ = conn.Close() }() // until then it is not free, and the next is another
		if err := conn.Get(ctx, "list").Err(); !redis.HasErrorPrefix(err, "WRONGTYPE") {
			t.Fatal(err)
		}
		for _, s := range recorder.Ended() {
			if s.Name() == "HELLO" {
				handshakes++
			}
		}
	}
}

// waitAndRefresh has p wait for a load of other, and load behind an answer.
func waitAndRefresh(t *testing.T, p, other *program, recorder *tracetest.SpanRecorder) {
	t.Helper()
	ask(t, http.MethodPut, other.opsURL+"/debug/faults?cache=slow&delay=500ms")
	var holder sync.WaitGroup
	defer holder.Wait()
	holder.Go(func() { get(t, other.url+"/slow", "Host", "wait") })
	eventually(t, "the other's lease", func() bool { return p.redis.Exists(t.Context(), "vitrine:{slow:r:wait/slow}:lease").Val() == 1 })
	get(t, p.url+"/slow", "Host", "wait")
	p.post(t, url.Values{"cache": {"slow"}, "all": {"true"}, "soft": {"true"}})
	get(t, p.url+"/slow", "Host", "wait")
	eventually(t, "a refresh", func() bool {
		return slices.ContainsFunc(recorder.Ended(), func(s sdktrace.ReadOnlySpan) bool { return s.Name() == "cache.refresh slow" })
	})
}

func panicking() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body)
		panic("for the record")
	})
	return mux
}

func TestMetricsAreListed(t *testing.T) {
	p := makeBusy(t)
	rows := listed(t, "Metrics", "metric")
	families, err := p.telemetry.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, family := range families {
		name := family.GetName()
		if strings.HasPrefix(name, "go_") || strings.HasPrefix(name, "process_") {
			continue
		}
		seen[name] = true
		row, ok := rows[name]
		if !ok {
			t.Errorf("%s is exposed, and docs/signals.md does not list it", name)
			continue
		}
		if kind := strings.ToLower(family.GetType().String()); strings.TrimSpace(row[0]) != kind {
			t.Errorf("%s is a %s, and listed as a %s", name, kind, row[0])
		}
		labels := quoted(row[1])
		for _, m := range family.GetMetric() {
			var has []string
			for _, l := range m.GetLabel() {
				has = append(has, l.GetName())
			}
			slices.Sort(labels)
			slices.Sort(has)
			if !slices.Equal(has, labels) {
				t.Errorf("%s has the labels %q, and is listed with %q", name, has, labels)
				break
			}
		}
	}
	for name := range rows {
		// What the kernel limits and counts differs from machine to machine.
		if !seen[name] && !strings.HasSuffix(name, "*") && !strings.HasPrefix(name, "cgroup_") {
			t.Errorf("docs/signals.md lists %s, which is not exposed", name)
		}
	}
}

func TestSpansAreListed(t *testing.T) {
	p := makeBusy(t)
	names, attributes := listed(t, "Spans", "span"), listed(t, "Spans", "attribute")
	seen := map[string]bool{}
	for _, span := range p.spans {
		kind := span.SpanKind().String()
		if name := span.Name(); kind == "server" || kind == "internal" {
			// Named after a route or a cache: one stands for all.
			seen[name] = true
		} else if row, ok := names[name]; !ok || !strings.Contains(row[0], kind) {
			t.Errorf("there is a %s span %q, and docs/signals.md does not list it", kind, name)
		} else {
			seen[name] = true
		}
		group := kind
		if kind == "internal" {
			group = "load"
		}
		for _, a := range span.Attributes() {
			seen[string(a.Key)] = true
			if row, ok := attributes[string(a.Key)]; !ok || !strings.Contains(row[0], group) {
				t.Errorf("the %s span %q has %s, and docs/signals.md does not list it there", kind, span.Name(), a.Key)
			}
		}
	}
	for _, rows := range []map[string][]string{names, attributes} {
		for name := range rows {
			if !seen[name] {
				t.Errorf("docs/signals.md lists %s, which no span has", name)
			}
		}
	}
}

// TestLogFieldsAreListed reads the fields from the source: some are logged by what a test cannot bring about.
func TestLogFieldsAreListed(t *testing.T) {
	rows := listed(t, "Log records", "field")
	used := map[string]string{"time": "log/slog", "level": "log/slog", "msg": "log/slog"}
	for _, dir := range []string{".", "../cache", "../telemetry"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			source, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(source, func(n ast.Node) bool {
				if call, ok := n.(*ast.CallExpr); ok {
					for _, field := range logFields(call) {
						used[field] = file
					}
				}
				return true
			})
		}
	}
	for field, file := range used {
		if _, ok := rows[field]; !ok {
			t.Errorf("%s logs %q, and docs/signals.md does not list it", file, field)
		}
	}
	for field := range rows {
		if used[field] == "" {
			t.Errorf("docs/signals.md lists the field %s, which nobody logs", field)
		}
	}
}

// logFields are the keys that a call of slog or of a logger names.
func logFields(call *ast.CallExpr) (fields []string) {
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return nil
	}
	args := call.Args
	switch pkg, _ := selector.X.(*ast.Ident); selector.Sel.Name {
	case "Debug", "Info", "Warn", "Error":
		args = args[min(1, len(args)):]
	case "DebugContext", "InfoContext", "WarnContext", "ErrorContext":
		args = args[min(2, len(args)):]
	case "Log":
		args = args[min(3, len(args)):]
	case "String", "Int", "Int64", "Float64", "Bool", "Any", "Duration":
		if pkg == nil || pkg.Name != "slog" {
			return nil
		}
	default:
		return nil
	}
	for i := 0; i+1 < len(args); i += 2 {
		if literal, ok := args[i].(*ast.BasicLit); ok && literal.Kind == token.STRING {
			if name, err := strconv.Unquote(literal.Value); err == nil {
				fields = append(fields, name)
			}
		}
	}
	return fields
}
