package cache

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
)

// Outcome says how an answer came about. Every answer has exactly one.
type Outcome string

// The outcomes. The same word stands in cache_requests_total, on the span, in the log and, as RFC 9211
// spells it, in Cache-Status.
const (
	Hit         Outcome = "hit"         // fresh in a tier
	Stale       Outcome = "stale"       // past its TTL, within the stale window
	StaleError  Outcome = "stale_error" // the origin failed, the last good value stands in
	Miss        Outcome = "miss"        // this call ran the load
	Coalesced   Outcome = "coalesced"   // another call was running it; this one shares what came of it
	Revalidated Outcome = "revalidated" // the origin said that the kept value lives on
	Bypass      Outcome = "bypass"      // the rules forbid it; Detail says which
	Rejected    Outcome = "rejected"    // too many loads at once, or only-if-cached
)

// Tier is where an answer was kept.
type Tier string

// The tiers.
const (
	Near Tier = "near" // in this process
	Far  Tier = "far"  // shared by all replicas
	None Tier = "none" // in neither
)

// Result says how one answer came about.
type Result struct {
	Cache   string
	Outcome Outcome
	Tier    Tier
	// TTL is how long the value of a Hit or Revalidated stays fresh; negative: how long ago that of Stale and StaleError
	// was. Zero otherwise.
	TTL time.Duration
	// Age is how old the value of Hit, Stale, StaleError and Revalidated is. Zero otherwise.
	Age time.Duration
	// Forward says why the origin was asked: RFC 9211's uri-miss, vary-miss, stale, request, partial, method or bypass.
	// Empty if it was not.
	Forward string
	// Status is what the origin answered instead, of a StaleError. Zero if it gave no answer.
	Status int
	// Stored tells that a Miss or Revalidated was kept.
	Stored bool
	// Detail says which rule caused a Bypass, or keeps a Miss from others. Empty otherwise.
	Detail string
}

// Why the origin is asked, as RFC 9211 (section 2.2) has it.
const (
	forwardURI     = "uri-miss"  // nothing was kept
	forwardVary    = "vary-miss" // what was kept is the answer to others
	forwardStale   = "stale"
	forwardRequest = "request" // the request did not want what was kept
	forwardPartial = "partial" // another part was kept
	forwardMethod  = "method"
	forwardBypass  = "bypass"
)

// missing is why the origin is asked where nothing is kept under k.
func (k entryKey) missing() string {
	if k.kind == kindVariant {
		return forwardVary
	}
	return forwardURI
}

// CacheStatus spells the result as a member of the Cache-Status field (RFC 9211): all of its parts are tokens and numbers.
func (r Result) CacheStatus() string {
	b := append(make([]byte, 0, 96), r.Cache...)
	token := func(name, value string) { b = append(append(append(append(b, "; "...), name...), '='), value...) }
	number := func(name string, v int64) { token(name, ""); b = strconv.AppendInt(b, v, 10) }
	flag := func(name string) { b = append(append(b, "; "...), name...) }
	if r.Outcome == Rejected {
		token("fwd", "miss")
		token("detail", string(Rejected))
		return string(b)
	}
	detail := r.Detail
	switch {
	case r.Forward != "":
		token("fwd", r.Forward)
	case r.kept():
		flag("hit")
		number("ttl", int64(r.TTL/time.Second))
	}
	switch r.Outcome {
	case Hit:
		detail = string(r.Tier)
	case Stale, StaleError:
		detail = string(r.Outcome)
		if r.Forward != "" && r.Status != 0 {
			number("fwd-status", int64(r.Status))
		}
	case Revalidated:
		number("fwd-status", http.StatusNotModified)
	case Coalesced:
		flag("collapsed")
	}
	if r.Stored {
		flag("stored")
	}
	if detail != "" {
		token("detail", detail)
	}
	return string(b)
}

// LogAttrs says for an access line how the answer came about: cache, outcome and tier, of a kept value its age
// in seconds, of a Bypass the detail.
func (r Result) LogAttrs() []slog.Attr {
	attrs := []slog.Attr{
		slog.String("cache", r.Cache),
		slog.String("outcome", string(r.Outcome)),
		slog.String("tier", string(r.Tier)),
	}
	if r.kept() {
		attrs = append(attrs, slog.Float64("age", r.Age.Seconds()))
	}
	if r.Detail != "" {
		attrs = append(attrs, slog.String("detail", r.Detail))
	}
	return attrs
}

func (r Result) appendSpanAttrs(attrs []attribute.KeyValue) []attribute.KeyValue {
	attrs = append(attrs,
		attribute.String("cache.name", r.Cache),
		attribute.String("cache.outcome", string(r.Outcome)),
		attribute.String("cache.tier", string(r.Tier)),
	)
	if r.kept() {
		attrs = append(attrs, attribute.Float64("cache.age", r.Age.Seconds()))
	}
	if r.Detail != "" {
		attrs = append(attrs, attribute.String("cache.detail", r.Detail))
	}
	return attrs
}

// kept tells whether the answer had been kept.
func (r Result) kept() bool { return r.Outcome == Hit || r.Outcome == Stale || r.Outcome == StaleError }

// Recorder holds the result of the last answer under a context. The zero value holds none.
type Recorder struct {
	mu     sync.Mutex
	result Result
}

// Result returns the last answer's result, and false if there was no answer.
func (r *Recorder) Result() (Result, bool) {
	if r == nil {
		return Result{}, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.result, r.result.Outcome != ""
}

func (r *Recorder) record(res Result) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.result = res
}

type recorderKey struct{}

// WithRecorder returns a context whose answers are recorded, for access logs. What a load under it
// fetches is not: that is the load's own business.
func WithRecorder(ctx context.Context) (context.Context, *Recorder) {
	r := new(Recorder)
	return context.WithValue(ctx, recorderKey{}, r), r
}

// RecorderFrom returns the context's recorder, or nil, which holds no result.
func RecorderFrom(ctx context.Context) *Recorder {
	r, _ := ctx.Value(recorderKey{}).(*Recorder)
	return r
}

// Annotate records the answers of a request, for its access line: of what telemetry.Server or another middleware logs, note
// returns the attributes, and whether the answer was routine, which a Hit is.
func Annotate(ctx context.Context) (recorded context.Context, note func() (attrs []slog.Attr, routine bool)) {
	ctx, recorder := WithRecorder(ctx)
	return ctx, func() ([]slog.Attr, bool) {
		if result, ok := recorder.Result(); ok {
			return result.LogAttrs(), result.Outcome == Hit
		}
		return nil, false
	}
}
