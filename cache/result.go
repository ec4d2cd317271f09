package cache

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
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
	// TTL is how long the value of a Hit stays fresh; negative: how long ago that of Stale and StaleError was.
	// Zero otherwise.
	TTL time.Duration
	// Age is how old the value of Hit, Stale and StaleError is. Zero otherwise.
	Age time.Duration
	// Status is what the origin answered instead, of a StaleError. Zero if it gave no answer.
	Status int
	// Stored tells that a Miss was kept.
	Stored bool
	// Detail says which rule caused a Bypass. Empty otherwise.
	Detail string
}

// CacheStatus spells the result as a member of the Cache-Status field (RFC 9211).
func (r Result) CacheStatus() string {
	var b strings.Builder
	b.WriteString(r.Cache)
	switch r.Outcome {
	case Hit:
		b.WriteString("; hit; ttl=")
		b.WriteString(seconds(r.TTL))
		b.WriteString("; detail=")
		b.WriteString(string(r.Tier))
	case Stale:
		b.WriteString("; hit; ttl=")
		b.WriteString(seconds(r.TTL))
		b.WriteString("; detail=stale")
	case StaleError:
		b.WriteString("; fwd=stale")
		if r.Status != 0 {
			b.WriteString("; fwd-status=")
			b.WriteString(strconv.Itoa(r.Status))
		}
		b.WriteString("; detail=stale_error")
	case Rejected:
		b.WriteString("; fwd=miss; detail=rejected")
	case Miss:
		b.WriteString("; fwd=uri-miss")
		if r.Stored {
			b.WriteString("; stored")
		}
	case Coalesced:
		b.WriteString("; fwd=uri-miss; collapsed")
	case Bypass:
		b.WriteString("; fwd=")
		b.WriteString(forwarded(r.Detail))
		b.WriteString("; detail=")
		b.WriteString(r.Detail)
	default:
		b.WriteString("; detail=")
		b.WriteString(string(r.Outcome))
	}
	return b.String()
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

// forwarded is RFC 9211's word for a rule that keeps a request from the cache.
func forwarded(rule string) string {
	switch rule {
	case ruleMethod:
		return "method"
	case ruleNoStore, ruleAuthorization:
		return "request"
	}
	return "bypass"
}

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

func withoutRecorder(ctx context.Context) context.Context {
	return context.WithValue(ctx, recorderKey{}, (*Recorder)(nil))
}
