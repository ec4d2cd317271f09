package cache

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.41.0"
	"go.opentelemetry.io/otel/trace"
)

// RedisOptions say whom InstrumentRedis tells what a client does.
type RedisOptions struct {
	// TracerProvider makes the spans. Nil makes none.
	TracerProvider trace.TracerProvider
	// Registerer takes the metrics; all clients of one are counted together. Nil keeps none.
	Registerer prometheus.Registerer
}

// InstrumentRedis makes a client tell of its commands and connections as OpenTelemetry's semantic
// conventions 1.41 have it (https://opentelemetry.io/docs/specs/semconv/db/redis/). Call it once, before the
// first command: nodes of a cluster that were met before stay silent.
//
// A command or pipeline is a client span where the span that it runs under is recording, and no span
// elsewhere. One that several callers of a RedisStore share is a span in the trace of each. It has no key, no value and no text of a command, not even those that Redis repeats in an error.
// A new connection's handshake stands below the command that waited for it; its dial does not, because go-redis
// dials beside the request. In a cluster a span is one call of one node: a redirection (MOVED) ends the first,
// and the next node has its own. db.namespace is the database that the client was made for. server.address is
// the node's as configured or as the cluster has it, and behind Sentinel the one that was dialled last.
//
// error.type is Redis' own error prefix (such as WRONGTYPE), which is db.response.status_code too, or else
// timeout, canceled (the caller gave up), pool_timeout (no connection was free), connection_error or _OTHER.
// With all of them the span's status is Error: the caller did not get its answer. A key that is not there
// (redis.Nil) is no error.
//
// The error says that the client is of another kind than *redis.Client or *redis.ClusterClient, or that the
// metrics cannot be registered. Then the client is as it was.
func InstrumentRedis(client redis.UniversalClient, o RedisOptions) error {
	switch client.(type) {
	case *redis.Client, *redis.ClusterClient:
	default:
		return fmt.Errorf("cache: a Redis client of type %T cannot be instrumented", client)
	}
	t := &redisTelemetry{}
	if o.TracerProvider != nil {
		t.tracer = o.TracerProvider.Tracer("vitrine/cache", trace.WithSchemaURL(semconv.SchemaURL))
	}
	if o.Registerer != nil {
		m, err := registered(o.Registerer, newRedisMetrics())
		if err != nil {
			return fmt.Errorf("cache: metrics of Redis: %w", err)
		}
		t.metrics = m
	}
	switch client := client.(type) {
	case *redis.Client:
		t.namespace = strconv.Itoa(client.Options().DB)
		t.operations = newRedisOperations(t.metrics, t.namespace)
		t.watch(client)
	case *redis.ClusterClient:
		t.namespace = "0" // a cluster has no other
		t.operations = newRedisOperations(t.metrics, t.namespace)
		client.OnNewNode(t.watch)
	}
	return nil
}

// redisTelemetry is what the nodes of one client share.
type redisTelemetry struct {
	tracer     trace.Tracer  // nil: no spans
	metrics    *redisMetrics // nil: none
	operations *redisOperations
	namespace  string
}

func (t *redisTelemetry) watch(node *redis.Client) {
	h := &redisHook{redisTelemetry: t}
	attrs := []attribute.KeyValue{semconv.DBSystemNameRedis, semconv.DBNamespace(t.namespace)}
	o := node.Options()
	if o.Network == "unix" {
		attrs = append(attrs, semconv.ServerAddress(o.Addr))
	} else if at := serverAt(o.Addr); at != nil {
		attrs = append(attrs, at...)
	} else {
		h.dialled = new(atomic.Pointer[[]attribute.KeyValue])
	}
	h.attrs = trace.WithAttributes(attrs...)
	if t.metrics != nil {
		t.metrics.watch(node)
	}
	node.AddHook(h)
}

// serverAt is nil where addr names no host and port: go-redis has the word FailoverClient there.
func serverAt(addr string) []attribute.KeyValue {
	host, service, err := net.SplitHostPort(addr)
	if err != nil {
		return nil
	}
	port, err := strconv.Atoi(service)
	if err != nil {
		return nil
	}
	return []attribute.KeyValue{semconv.ServerAddress(cmp.Or(host, "localhost")), semconv.ServerPort(port)}
}

// redisHook sees the calls of one node.
type redisHook struct {
	*redisTelemetry
	attrs trace.SpanStartOption
	// dialled is where the last dial led, behind Sentinel; nil where the address is known.
	dialled *atomic.Pointer[[]attribute.KeyValue]
}

// DialHook implements redis.Hook. go-redis dials beside the request that waits for it, under no span.
func (h *redisHook) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		start := time.Now()
		conn, err := next(ctx, network, addr)
		if err != nil {
			return conn, err
		}
		if h.metrics != nil {
			h.metrics.created.Observe(time.Since(start).Seconds())
		}
		if h.dialled != nil {
			if at := serverAt(conn.RemoteAddr().String()); at != nil {
				h.dialled.Store(&at)
			}
		}
		return conn, nil
	}
}

// ProcessHook implements redis.Hook.
func (h *redisHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		spans := h.recording(ctx)
		if len(spans) == 0 && h.metrics == nil {
			return next(ctx, cmd)
		}
		operation := h.operations.find("", cmd.Name())
		if len(spans) > 0 {
			name, script := operation.name, scriptOf(ctx, cmd)
			if script != "" {
				name += " " + script
			}
			ctx = h.begin(ctx, spans, name, operation)
			defer spans.end()
			if script != "" {
				spans.say(semconv.DBStoredProcedureName(script))
			}
		}
		start := time.Now()
		err := next(ctx, cmd)
		h.ended(operation, spans, start, err)
		return err
	}
}

// ProcessPipelineHook implements redis.Hook.
func (h *redisHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		spans := h.recording(ctx)
		if len(spans) == 0 && h.metrics == nil {
			return next(ctx, cmds)
		}
		batch, name, size := batchOf(cmds)
		operation := h.operations.find(batch, name)
		if len(spans) > 0 {
			ctx = h.begin(ctx, spans, operation.name, operation)
			defer spans.end()
			if batch != "" {
				spans.say(semconv.DBOperationBatchSize(size))
			}
		}
		start := time.Now()
		err := next(ctx, cmds)
		h.ended(operation, spans, start, firstFailure(cmds, err))
		return err
	}
}

var spanOfRedis = trace.WithSpanKind(trace.SpanKindClient)

// redisSpans are those of one call: one for each caller whose trace is recording.
type redisSpans []trace.Span

// recording are the spans under which a call is to have its own.
func (h *redisHook) recording(ctx context.Context) (under redisSpans) {
	if h.tracer == nil {
		return nil
	}
	if all, _ := ctx.Value(sharingKey{}).(sharing); all != nil {
		for _, caller := range all {
			if span := trace.SpanFromContext(caller); span.IsRecording() {
				under = append(under, span)
			}
		}
	} else if span := trace.SpanFromContext(ctx); span.IsRecording() {
		under = redisSpans{span}
	}
	return under
}

// begin puts a span of the call into the place of each under which it is to be. The context is that of the first.
func (h *redisHook) begin(ctx context.Context, spans redisSpans, name string, operation *redisOperation) context.Context {
	first := ctx
	for i, under := range spans {
		within, span := h.tracer.Start(trace.ContextWithSpan(ctx, under), name, spanOfRedis, h.attrs, operation.attrs)
		if spans[i] = span; i == 0 {
			first = within
		}
	}
	return context.WithValue(first, sharingKey{}, sharing(nil)) // a handshake belongs to the first of them alone
}

func (s redisSpans) say(attrs ...attribute.KeyValue) {
	for _, span := range s {
		span.SetAttributes(attrs...)
	}
}

func (s redisSpans) end() {
	for _, span := range s {
		span.End()
	}
}

// ended tells how a call went.
func (h *redisHook) ended(operation *redisOperation, spans redisSpans, start time.Time, err error) {
	var f redisFailure
	if err != nil {
		f = failureOf(err)
	}
	if h.dialled != nil {
		if at := h.dialled.Load(); at != nil {
			spans.say(*at...)
		}
	}
	for _, span := range spans {
		if f.kind != "" {
			span.SetStatus(codes.Error, f.detail)
		}
	}
	if f.kind != "" {
		spans.say(semconv.ErrorTypeKey.String(f.kind))
	}
	if f.code != "" {
		spans.say(semconv.DBResponseStatusCode(f.code))
	}
	if h.metrics != nil {
		var sc trace.SpanContext
		if len(spans) > 0 {
			sc = spans[0].SpanContext()
		}
		observe(operation.duration(f.kind), time.Since(start), sc)
	}
}
