package cache

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
)

// Options configure a Cache. Only TTL has no useful default.
type Options struct {
	// Name stands in metrics, spans, logs, Cache-Status and in front of the far tier's keys: letters,
	// digits, '_' and '-'. Empty means "cache".
	Name string
	// TTL is how long a value is fresh. Zero means not at all: calls are still coalesced, nothing is kept but what
	// says otherwise itself. A load may: see SetTTL. So do responses of a Handler, by their header.
	TTL time.Duration
	// Near bounds the near tier in bytes, entries' overhead included. Zero means 64 MiB, a negative number
	// leaves the near tier out.
	Near int64
	// Stale says when a value past its TTL may be served. The zero value means never.
	Stale Staleness
	// Codec turns the values of Fetch into bytes for the far tier. Nil means JSON, but for []byte and string, which are kept as they
	// are.
	Codec Codec
	// Registerer receives the cache's metrics. Nil means none are kept.
	Registerer prometheus.Registerer
	// TracerProvider makes the spans of loads. Nil means none.
	TracerProvider trace.TracerProvider
	// Logger is told of panics in loads and of a far tier that fails. Nil means nobody is.
	Logger *slog.Logger

	// HTTP is for Handler. The zero value is fit for a public service.
	HTTP HTTP
	// Limits bound what loads and calls of the far tier may take. The zero value is fit for most.
	Limits Limits
	// Tuning is for those who have measured. The zero value is fit for most.
	Tuning Tuning
}

// Staleness says when a value past its TTL may be served (RFC 5861).
type Staleness struct {
	// WhileRevalidate is for how long after its TTL a value is served at once, while one load behind it
	// brings the next.
	WhileRevalidate time.Duration
	// IfError is for how long after its TTL a value stands in for a load that fails: that returns an error,
	// panics, outlasts its time or is turned away; of a Handler's, one that answers 500, 502, 503 or 504.
	IfError time.Duration
	// SoftTimeout is how long a load for which a value could stand in may take before that is served. The load goes on
	// behind it. Zero means as long as it takes.
	SoftTimeout time.Duration
}

// HTTP says what Handler does where RFC 9111 leaves a choice.
type HTTP struct {
	// Query names the parameters of a URL's query that answers depend on. Others are no part of the key and are
	// not shown to the handler, or a client could have as many keys as it likes. Nil means all, an empty slice none.
	Query []string
	// Heed has requests be heeded that ask for more than what is kept: their Cache-Control's no-cache, no-store, max-age
	// and min-fresh, and Pragma. RFC 9111 (section 5.2.1) leaves that to the cache, and false is what a public
	// service needs: otherwise any client can have its slowest handlers run as often as it likes. What costs the
	// origin nothing, max-stale (of what is kept) and only-if-cached, is always heeded.
	Heed bool
	// Heuristic is the share of the time since its Last-Modified for which a response is fresh that does not say
	// itself (RFC 9111, section 4.2.2, suggests 0.1), at most a day. Zero means Options.TTL.
	Heuristic float64
	// Proving is how long after its TTL a response with an ETag or Last-Modified of its handler is kept, so that that may
	// answer 304. Zero means 10 min, a negative time not at all.
	Proving time.Duration
	// Targeted are the fields that speak to this cache in the place of Cache-Control and Expires (RFC 9213), the first
	// that is there. Surrogate-Control may be one; then requests say Surrogate-Capability. Nil means
	// CDN-Cache-Control, an empty slice none.
	Targeted []string
	// Ranges has requests for a range of what is not kept be passed on as such, and the last part of each URL be kept:
	// for a proxy of large files. False means that the whole is asked for, once for all ranges.
	Ranges bool
	// NoETag keeps 200 answers without an ETag as they are. False means that they get one, a hash of what they
	// are, so that clients may ask whether theirs is still good.
	NoETag bool
	// Encodings are the content codings, the preferred one first, in which what is kept is kept as well, so that clients
	// who name them in Accept-Encoding get less to carry and nothing is compressed for each: "zstd" and "gzip". They are made once, by
	// whoever loads, and other processes serve what is there. It takes a 200 of 1 KiB or more, of a type that can be
	// compressed, that has no Content-Encoding, no digest and no no-transform, and does not itself depend on Accept-Encoding;
	// each coding has an ETag of its own, which the handler does not know: a client's If-Match with it fails. Ranges are of
	// the body as it came. Nil means none.
	Encodings []string
}

// Limits bound what loads and calls of the far tier may take.
type Limits struct {
	// LoadTimeout bounds a load, whatever its caller's deadline; a response that flows past the cache only until its
	// header is there. Zero means 30 s.
	LoadTimeout time.Duration
	// StoreTimeout bounds each call of the far tier, at most 1 min. Zero means 50 ms.
	StoreTimeout time.Duration
	// Body is the largest response body, in bytes, that Handler keeps. A longer one flows past it. Zero means 4 MiB.
	Body int64
	// Loads is how many loads run at once in this process. Zero means any number. A response that flows past the cache
	// holds its place until its header is there; what bypasses the cache has none. A load that waits for
	// another, of this cache or of another process, should do so in Yield: it holds no place then.
	Loads int
	// Queue is how many more wait for a place. Those beyond are turned away with a *RejectedError. Zero
	// means as many as Loads, a negative number none.
	Queue int
}

// Tuning is what few need to set.
type Tuning struct {
	// Jitter shortens each value's TTL by a random part, at most this share of it, so that values that were
	// loaded together do not expire together. From 0, the default, to 1.
	Jitter float64
	// EarlyRefresh is the factor β of XFetch (Vattani et al., VLDB 2015): a hit shortly before a value expires
	// may refresh it behind, the likelier the nearer the end and the longer its load took. Zero means
	// never, 1 is what the paper found best, more is earlier.
	EarlyRefresh float64
	// ErrorTTL is how long a failed load is remembered: Fetch returns its error again, and where a value
	// stands in for it, nobody loads. Zero means that errors are not kept, and that a value which stands in
	// does so for a second before the next load is tried.
	ErrorTTL time.Duration
	// NearTTL is how long the near tier serves a value without looking into a far tier. Purges and new
	// values reach it in milliseconds by message: this bounds what a lost message costs, unless the far
	// tier cannot be reached: then the near tier goes on. Zero means 30 s.
	NearTTL time.Duration
	// Lease is how long after its last sign of life the load of another process is given up on; it gives one
	// three times as often. At least 10 ms; zero means 3 s.
	Lease time.Duration
	// LeaseWait is how long to wait for the load of another process before loading all the same. Zero
	// means Limits.LoadTimeout.
	LeaseWait time.Duration
	// NoWhatIf leaves out the simulation of near tiers of other sizes, and what it costs: see WhatIf.
	NoWhatIf bool
}

var (
	validName  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]*$`)
	validField = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$") // a token (RFC 9110, section 5.6.2)
)

func (o Options) withDefaults() Options {
	defaultTo(&o.Name, "cache")
	defaultTo(&o.Near, 64<<20)
	defaultTo(&o.HTTP.Proving, 10*time.Minute)
	o.HTTP.Proving = max(o.HTTP.Proving, 0)
	if o.HTTP.Targeted == nil {
		o.HTTP.Targeted = []string{"CDN-Cache-Control"}
	}
	o.HTTP.Targeted = slices.Clone(o.HTTP.Targeted)
	for i, name := range o.HTTP.Targeted {
		o.HTTP.Targeted[i] = http.CanonicalHeaderKey(name)
	}
	defaultTo(&o.Limits.Body, 4<<20)
	defaultTo(&o.Limits.LoadTimeout, 30*time.Second)
	defaultTo(&o.Limits.StoreTimeout, 50*time.Millisecond)
	defaultTo(&o.Limits.Queue, o.Limits.Loads)
	defaultTo(&o.Tuning.NearTTL, 30*time.Second)
	defaultTo(&o.Tuning.Lease, 3*time.Second)
	defaultTo(&o.Tuning.LeaseWait, o.Limits.LoadTimeout)
	if o.Codec == nil {
		o.Codec = JSON{}
	}
	if o.TracerProvider == nil {
		o.TracerProvider = tracenoop.NewTracerProvider()
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

func defaultTo[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func (o Options) validate(far Store) error {
	var errs []error
	if !validName.MatchString(o.Name) {
		errs = append(errs, fmt.Errorf("name %q: allowed are letters, digits, '_' and '-'", o.Name))
	}
	for _, each := range []struct {
		name string
		d    time.Duration
	}{
		{"TTL", o.TTL},
		{"Stale.WhileRevalidate", o.Stale.WhileRevalidate}, {"Stale.IfError", o.Stale.IfError}, {"Stale.SoftTimeout", o.Stale.SoftTimeout},
		{"Limits.LoadTimeout", o.Limits.LoadTimeout}, {"Limits.StoreTimeout", o.Limits.StoreTimeout},
		{"Tuning.ErrorTTL", o.Tuning.ErrorTTL}, {"Tuning.NearTTL", o.Tuning.NearTTL},
		{"Tuning.Lease", o.Tuning.Lease}, {"Tuning.LeaseWait", o.Tuning.LeaseWait},
	} {
		if each.d < 0 {
			errs = append(errs, fmt.Errorf("%s %s: must not be negative", each.name, each.d))
		}
	}
	if o.Limits.StoreTimeout > time.Minute {
		errs = append(errs, fmt.Errorf("Limits.StoreTimeout %s: must be at most 1m", o.Limits.StoreTimeout))
	}
	if o.Tuning.Lease < 10*time.Millisecond {
		errs = append(errs, fmt.Errorf("Tuning.Lease %s: must be at least 10ms", o.Tuning.Lease))
	}
	if o.Limits.Body < 0 || o.Limits.Loads < 0 {
		errs = append(errs, fmt.Errorf("Limits.Body %d, Limits.Loads %d: must not be negative", o.Limits.Body, o.Limits.Loads))
	}
	if !(o.HTTP.Heuristic >= 0 && o.HTTP.Heuristic <= 1) {
		errs = append(errs, fmt.Errorf("HTTP.Heuristic %g: must be from 0 to 1", o.HTTP.Heuristic))
	}
	for _, name := range o.HTTP.Targeted {
		if !validField.MatchString(name) {
			errs = append(errs, fmt.Errorf("HTTP.Targeted %q: not the name of a header field", name))
		}
	}
	for i, name := range o.HTTP.Encodings {
		if codingOf(name) == nil || slices.Contains(o.HTTP.Encodings[:i], name) {
			errs = append(errs, fmt.Errorf("HTTP.Encodings %q: allowed are zstd and gzip, each once", name))
		}
	}
	if !(o.Tuning.Jitter >= 0 && o.Tuning.Jitter <= 1) {
		errs = append(errs, fmt.Errorf("Tuning.Jitter %g: must be from 0 to 1", o.Tuning.Jitter))
	}
	if !(o.Tuning.EarlyRefresh >= 0) {
		errs = append(errs, fmt.Errorf("Tuning.EarlyRefresh %g: must not be negative", o.Tuning.EarlyRefresh))
	}
	if far == nil && o.Near < 0 {
		errs = append(errs, errors.New("neither near nor far tier"))
	}
	if store, ok := far.(*RedisStore); ok {
		errs = append(errs, store.checkClient())
	}
	return errors.Join(errs...)
}
