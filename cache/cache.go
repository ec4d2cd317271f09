// Package cache answers slow calls from memory: a near tier in this process before a far tier that all
// replicas share, one load per key however many ask, and one outcome for every answer.
//
//	slow, err := cache.New(nil, cache.Options{Name: "slow", TTL: time.Minute})
//	mux.Handle("GET /slow", slow.Handler(next))                  // a route
//	v, err := cache.Fetch(ctx, slow, "key", load)                 // a value
//
// The package speaks to the OpenTelemetry API and to the prometheus.Registerer that it is given; it uses
// no global.
package cache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"sync"
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
	// TTL is how long a value is fresh. Zero means not at all: calls are still coalesced, nothing is kept.
	TTL time.Duration
	// Near bounds the near tier in bytes, entries' overhead included. Zero means 64 MiB, a negative number
	// leaves the near tier out.
	Near int64
	// NoWhatIf leaves out the simulation of near tiers of other sizes, and what it costs: see WhatIf.
	NoWhatIf bool
	// MaxBody is the largest response body, in bytes, that Handler keeps. Zero means 4 MiB.
	MaxBody int64
	// Query names the parameters of a URL's query that the answers of Handler depend on. Others are no part of
	// the key and are not shown to the handler, or a client could have as many keys as it likes. Nil means
	// all, an empty slice none.
	Query []string
	// LoadTimeout bounds a load, whatever its caller's deadline. Zero means 30 s.
	LoadTimeout time.Duration
	// StoreTimeout bounds each call of the far tier. Zero means 100 ms.
	StoreTimeout time.Duration
	// Codec turns the values of Fetch into bytes for the far tier. Nil means JSON.
	Codec Codec
	// Registerer receives the cache's metrics. Nil means none are kept.
	Registerer prometheus.Registerer
	// TracerProvider makes the spans of loads. Nil means none.
	TracerProvider trace.TracerProvider
	// Logger is told of panics in loads and of a far tier that fails. Nil means nobody is.
	Logger *slog.Logger
}

var validName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]*$`)

func (o Options) withDefaults() Options {
	defaultTo(&o.Name, "cache")
	defaultTo(&o.Near, 64<<20)
	defaultTo(&o.MaxBody, 4<<20)
	defaultTo(&o.LoadTimeout, 30*time.Second)
	defaultTo(&o.StoreTimeout, 100*time.Millisecond)
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
	for name, d := range map[string]time.Duration{
		"TTL": o.TTL, "LoadTimeout": o.LoadTimeout, "StoreTimeout": o.StoreTimeout,
	} {
		if d < 0 {
			errs = append(errs, fmt.Errorf("%s %s: must not be negative", name, d))
		}
	}
	if o.MaxBody < 0 {
		errs = append(errs, fmt.Errorf("MaxBody %d: must not be negative", o.MaxBody))
	}
	if far == nil && o.Near < 0 {
		errs = append(errs, errors.New("neither near nor far tier"))
	}
	return errors.Join(errs...)
}

// Cache keeps values under keys. It is safe for concurrent use. New makes one.
type Cache struct {
	opts    Options
	near    *near      // nil: left out
	far     *farTier   // nil: left out
	whatIf  *simulator // nil: left out
	flights flights
	metrics *metrics
	tracer  trace.Tracer

	loads  sync.WaitGroup
	stop   context.Context // ends what still loads when Close gives up waiting
	cancel context.CancelFunc
}

// New returns a cache: a near tier in this process before far, the tier that all replicas share. A nil far
// leaves that out. Errors name the option that is wrong.
func New(far Store, opts Options) (*Cache, error) {
	opts = opts.withDefaults()
	if err := opts.validate(far); err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	c := &Cache{
		opts:    opts,
		metrics: newMetrics(opts.Name),
		tracer:  opts.TracerProvider.Tracer("vitrine/cache"),
	}
	if far != nil {
		tier, err := newFarTier(far, opts)
		if err != nil {
			return nil, err
		}
		c.far = tier
	}
	if opts.Near > 0 {
		c.near = newNear(opts.Near, c.metrics)
	}
	c.metrics.fill(c.near)
	if c.near != nil && !opts.NoWhatIf {
		c.whatIf = newSimulator(opts.Near, far != nil, c.metrics.simulable)
		c.metrics.whatIf(c.whatIf)
	}
	if err := c.metrics.register(opts.Registerer); err != nil {
		c.near.close()
		c.whatIf.close()
		return nil, fmt.Errorf("cache: metrics of %q: %w", opts.Name, err)
	}
	c.stop, c.cancel = context.WithCancel(context.Background())
	return c, nil
}

// Close waits for running loads until ctx ends, cancels those that are left, and frees the near tier. The
// far tier is the caller's to close. No call may begin after Close.
func (c *Cache) Close(ctx context.Context) error {
	done := make(chan struct{})
	go func() { c.loads.Wait(); close(done) }()
	var err error
	select {
	case <-done:
	case <-ctx.Done():
		err = fmt.Errorf("cache: close %q: loads still running: %w", c.opts.Name, context.Cause(ctx))
	}
	c.cancel()
	c.metrics.unregister(c.opts.Registerer)
	c.near.close()
	c.whatIf.close()
	return err
}
