package cache_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	semconv "go.opentelemetry.io/otel/semconv/v1.41.0"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"vitrine/cache"
	"vitrine/e2e/component"
)

// Where they turn up, something was told that must not be.
const secretKey, secretValue = "SECRETKEY", "SECRETVALUE"

// spanOf is a client span as a test expects it. What every span has in common is left out of attrs.
type spanOf struct {
	name   string
	attrs  map[string]string
	status codes.Code
	detail string
}

// traced records what happens below the span of the context that it returns.
func traced(t testing.TB, client redis.UniversalClient) (context.Context, *tracetest.SpanRecorder) {
	t.Helper()
	spans := tracetest.NewSpanRecorder()
	tp := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	if err := cache.InstrumentRedis(client, cache.RedisOptions{TracerProvider: tp}); err != nil {
		t.Fatal(err)
	}
	ctx, _ := tp.Tracer("test").Start(t.Context(), "parent") // never ends, and so is not recorded
	return ctx, spans
}

// read takes the spans out of the recorder and checks what all have in common.
func read(t testing.TB, parent context.Context, spans *tracetest.SpanRecorder, addr, namespace string) (told []spanOf) {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range spans.Ended() {
		at := spanOf{name: s.Name(), attrs: map[string]string{}, status: s.Status().Code, detail: s.Status().Description}
		for _, a := range s.Attributes() {
			at.attrs[string(a.Key)] = a.Value.String()
		}
		for key, want := range map[string]string{
			"db.system.name": "redis", "db.namespace": namespace, "db.operation.name": s.Name(),
			"server.address": host, "server.port": port,
		} {
			if at.attrs[key] != want {
				t.Errorf("%s: %s=%q, want %q", s.Name(), key, at.attrs[key], want)
			}
			delete(at.attrs, key)
		}
		if s.SpanKind() != trace.SpanKindClient || s.Parent().TraceID() != trace.SpanContextFromContext(parent).TraceID() {
			t.Errorf("%s: kind %s, trace %s", s.Name(), s.SpanKind(), s.Parent().TraceID())
		}
		if scope := s.InstrumentationScope(); scope.Name != "vitrine/cache" || scope.SchemaURL != semconv.SchemaURL {
			t.Errorf("%s: scope %+v", s.Name(), scope)
		}
		if text := fmt.Sprint(s.Name(), s.Attributes(), s.Status(), s.Events(), s.Links()); strings.Contains(strings.ToUpper(text), "SECRET") {
			t.Errorf("a key or a value is told: %s", text)
		}
		told = append(told, at)
	}
	spans.Reset()
	return told
}

func TestRedisSpans(t *testing.T) {
	server := component.Redis(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr, DB: 3, MaxRetries: -1, ContextTimeoutEnabled: true, PipelinePoolSize: -1})
	defer client.Close()
	ctx, spans := traced(t, client)
	if err := client.Set(t.Context(), secretKey, secretValue, 0).Err(); err != nil { // connects, under no span
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	late, cancel := context.WithDeadline(ctx, time.Now().Add(-time.Second))
	defer cancel()

	ok := func(name string) []spanOf { return []spanOf{{name: name, attrs: map[string]string{}}} }
	batch := func(name, size string) []spanOf {
		return []spanOf{{name: name, attrs: map[string]string{"db.operation.batch.size": size}}}
	}
	failed := func(name, kind string, more ...string) []spanOf {
		attrs := map[string]string{"error.type": kind}
		for i := 0; i < len(more); i += 2 {
			attrs[more[i]] = more[i+1]
		}
		return []spanOf{{name: name, attrs: attrs, status: codes.Error}}
	}
	const code, size = "db.response.status_code", "db.operation.batch.size"
	for _, test := range []struct {
		desc string
		do   func()
		want []spanOf
	}{
		{"a value", func() { client.Get(ctx, secretKey) }, ok("GET")},
		{"a value that is not there", func() { client.Get(ctx, secretKey+"2") }, ok("GET")},
		{"another value", func() { client.Set(ctx, secretKey+"3", secretValue, time.Minute) }, ok("SET")},
		{"in capitals", func() { client.Do(ctx, "GET", secretKey) }, ok("GET")},
		{"of two words", func() { client.Do(ctx, "config", "get", secretKey) }, ok("CONFIG")},
		{"of a type that it is not", func() { client.LPush(ctx, secretKey, secretValue) },
			failed("LPUSH", "WRONGTYPE", code, "WRONGTYPE")},
		{"no such command: Redis repeats the arguments", func() { client.Do(ctx, "nosuch", secretKey, secretValue) },
			failed("NOSUCH", "ERR", code, "ERR")},
		{"no such command: a whole line", func() { client.Do(ctx, "get "+secretKey) }, failed("_OTHER", "ERR", code, "ERR")},
		{"a value in place of a number: the client repeats it", func() {
			client.Process(ctx, redis.NewIntCmd(ctx, "get", secretKey))
		}, failed("GET", "_OTHER")},
		{"a script's own error", func() {
			client.Eval(ctx, "return redis.error_reply(KEYS[1] .. ' MINE')", []string{strings.ToLower(secretKey)})
		}, failed("EVAL", "_OTHER")},
		{"a script's own prefix", func() { client.Eval(ctx, "return redis.error_reply('MINE ' .. KEYS[1])", []string{secretKey}) },
			failed("EVAL", "MINE", code, "MINE")},
		{"a caller that is gone", func() { client.Get(gone, secretKey) }, failed("GET", "canceled")},
		{"a deadline", func() { client.Get(late, secretKey) }, failed("GET", "timeout")},

		{"a pipeline of one kind", func() {
			_, _ = client.Pipelined(ctx, func(p redis.Pipeliner) error {
				p.Unlink(ctx, secretKey+"4")
				return p.Unlink(ctx, secretKey+"5").Err()
			})
		}, batch("PIPELINE UNLINK", "2")},
		{"a pipeline of two kinds", func() {
			_, _ = client.Pipelined(ctx, func(p redis.Pipeliner) error {
				p.Set(ctx, secretKey, secretValue, 0)
				p.Get(ctx, secretKey)
				return p.Get(ctx, secretKey).Err()
			})
		}, batch("PIPELINE", "3")},
		{"a pipeline of one command is none", func() {
			_, _ = client.Pipelined(ctx, func(p redis.Pipeliner) error { return p.Get(ctx, secretKey).Err() })
		}, ok("GET")},
		{"a pipeline of what is no command", func() {
			_, _ = client.Pipelined(ctx, func(p redis.Pipeliner) error {
				p.Do(ctx, "get "+secretKey)
				return p.Do(ctx, "get "+secretKey).Err()
			})
		}, failed("PIPELINE", "ERR", code, "ERR", size, "2")},
		{"a key that is not there hides no error", func() {
			_, err := client.Pipelined(ctx, func(p redis.Pipeliner) error {
				p.Get(ctx, secretKey+"2")
				return p.LPush(ctx, secretKey, secretValue).Err()
			})
			if !errors.Is(err, redis.Nil) {
				t.Errorf("%v, want redis.Nil before the other", err)
			}
		}, failed("PIPELINE", "WRONGTYPE", code, "WRONGTYPE", size, "2")},
		{"keys that are not there", func() {
			_, _ = client.Pipelined(ctx, func(p redis.Pipeliner) error {
				p.Get(ctx, secretKey+"2")
				return p.Get(ctx, secretKey+"2").Err()
			})
		}, batch("PIPELINE GET", "2")},
		{"a transaction of one kind", func() {
			_, _ = client.TxPipelined(ctx, func(p redis.Pipeliner) error {
				p.Set(ctx, secretKey, secretValue, 0)
				return p.Set(ctx, secretKey, secretValue, 0).Err()
			})
		}, batch("MULTI SET", "2")},
		{"a transaction of two kinds", func() {
			_, _ = client.TxPipelined(ctx, func(p redis.Pipeliner) error {
				p.Set(ctx, secretKey, secretValue, 0)
				return p.Get(ctx, secretKey).Err()
			})
		}, batch("MULTI", "2")},
		{"a transaction of one command", func() {
			_, _ = client.TxPipelined(ctx, func(p redis.Pipeliner) error { return p.Set(ctx, secretKey, secretValue, 0).Err() })
		}, ok("SET")},

		{"no span above", func() { client.Get(t.Context(), secretKey) }, nil},
		{"a span above that is not sampled", func() { client.Get(unsampled(t), secretKey) }, nil},
		{"no span above a pipeline", func() {
			_, _ = client.Pipelined(t.Context(), func(p redis.Pipeliner) error { return p.Get(ctx, secretKey).Err() })
		}, nil},
	} {
		t.Run(test.desc, func(t *testing.T) {
			// What desynchronises a connection closes it: the next one's handshake is under no span.
			if err := client.Ping(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
			test.do()
			if got := read(t, ctx, spans, server.Addr, "3"); !reflect.DeepEqual(got, test.want) {
				t.Errorf("got  %+v\nwant %+v", got, test.want)
			}
		})
	}
}

// unsampled is a context whose span is not recording.
func unsampled(t testing.TB) context.Context {
	tp := sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample()))
	ctx, _ := tp.Tracer("test").Start(t.Context(), "parent")
	return ctx
}

// A new connection's handshake is part of what the command that waited for it took. Its dial is not below
// the command: go-redis dials beside it.
func TestRedisSpansOfAHandshake(t *testing.T) {
	server := component.Redis(t)
	client := redisClient(t, server.Addr)
	ctx, spans := traced(t, client)
	if err := client.Get(ctx, secretKey).Err(); err != redis.Nil {
		t.Fatal(err)
	}
	all := spans.Ended()
	var names []string
	for _, s := range read(t, ctx, spans, server.Addr, "0") {
		names = append(names, s.name)
	}
	if len(names) < 2 || names[0] != "HELLO" || names[len(names)-1] != "GET" || slices.Contains(names[:len(names)-1], "GET") {
		t.Fatalf("spans %q, want a handshake and then GET", names)
	}
	get := all[len(all)-1]
	for _, s := range all[:len(all)-1] {
		if s.Parent().SpanID() != get.SpanContext().SpanID() {
			t.Errorf("%s is not below GET", s.Name())
		}
	}
}

func TestRedisSpanNamesTheServer(t *testing.T) {
	for _, test := range []struct{ desc, network, addr, want string }{
		{"a name", "tcp", "localhost:1", "[server.address=localhost server.port=1]"},
		{"no name is this host's", "tcp", ":1", "[server.address=localhost server.port=1]"},
		{"IPv6", "tcp", "[::1]:1", "[server.address=::1 server.port=1]"},
		{"a socket", "unix", "/nowhere/redis.sock", "[server.address=/nowhere/redis.sock]"},
	} {
		t.Run(test.desc, func(t *testing.T) {
			client := redis.NewClient(&redis.Options{Network: test.network, Addr: test.addr, MaxRetries: -1, DialerRetries: 1})
			defer client.Close()
			ctx, spans := traced(t, client)
			_ = client.Get(ctx, secretKey).Err()
			if len(spans.Ended()) != 1 {
				t.Fatalf("%d spans", len(spans.Ended()))
			}
			var server []string
			for _, a := range spans.Ended()[0].Attributes() {
				if strings.HasPrefix(string(a.Key), "server.") {
					server = append(server, string(a.Key)+"="+a.Value.String())
				}
			}
			if got := fmt.Sprint(server); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
}

// What a program takes for a command from its users must not become names without end.
func TestRedisOperationsAreBounded(t *testing.T) {
	server := miniredis.RunT(t)
	client := redisClient(t, server.Addr())
	ctx, spans := traced(t, client)
	for i := range 300 {
		client.Do(ctx, "made-up-"+strconv.Itoa(i))
	}
	client.Get(ctx, secretKey)
	names := map[string]bool{}
	for _, s := range read(t, ctx, spans, server.Addr(), "0") {
		names[s.name] = true
	}
	if len(names) > 102 || !names["_OTHER"] || !names["GET"] {
		t.Errorf("%d names: %v", len(names), names)
	}
}

func TestInstrumentRedisRejects(t *testing.T) {
	ring := redis.NewRing(&redis.RingOptions{})
	defer ring.Close()
	err := cache.InstrumentRedis(ring, cache.RedisOptions{TracerProvider: noop.NewTracerProvider()})
	if err == nil || err.Error() != "cache: a Redis client of type *redis.Ring cannot be instrumented" {
		t.Error(err)
	}
}
