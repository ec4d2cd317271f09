package cache_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"vitrine/cache"
	"vitrine/e2e/component"
)

// readGate is a hook that lets each read through when the test says so.
type readGate struct {
	answers
	came chan redis.Cmder
	ends chan time.Time // of MGETs
	open chan struct{}
}

func (g readGate) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() == "get" || cmd.Name() == "mget" {
			if cmd.Name() == "mget" {
				end, _ := ctx.Deadline()
				g.ends <- end
			}
			g.came <- cmd
			<-g.open
		}
		return next(ctx, cmd)
	}
}

// ProcessPipelineHook changes nothing.
func (readGate) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// reads are callers of a store whose Redis is behind a gate.
type reads struct {
	t      *testing.T
	server *component.RedisServer
	client *redis.Client
	store  *cache.RedisStore
	gate   readGate
	all    sync.WaitGroup
}

func newReads(t *testing.T, tp trace.TracerProvider) *reads {
	t.Helper()
	server := component.Redis(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr, ContextTimeoutEnabled: true, MaxRetries: -1})
	t.Cleanup(func() { _ = client.Close() })
	if err := cache.InstrumentRedis(client, cache.RedisOptions{TracerProvider: tp}); err != nil {
		t.Fatal(err)
	}
	r := &reads{t: t, server: server, client: client, store: cache.Redis(client, ""), gate: readGate{came: make(chan redis.Cmder, 100), ends: make(chan time.Time, 100), open: make(chan struct{})}}
	for i := range 10 {
		if err := r.store.Set(t.Context(), fmt.Sprint(i), []byte(fmt.Sprint("value ", i)), 1<<40); err != nil {
			t.Fatal(err)
		}
	}
	client.AddHook(r.gate)
	return r
}

// read has somebody read a key, and checks what they get: its value, want, or an error.
func (r *reads) read(ctx context.Context, key string, want error) {
	r.all.Go(func() {
		got, err := r.store.Get(ctx, key)
		if !errors.Is(err, want) || want == nil && string(got) != "value "+key {
			r.t.Errorf("%s: %q, %v; want error %v", key, got, err, want)
		}
	})
}

// under waits until a call is under way, and tells which.
func (r *reads) under() string {
	cmd := <-r.gate.came
	return strings.NewReplacer("{", "", "}", "").Replace(strings.TrimSuffix(fmt.Sprintln(cmd.Args()...), "\n"))
}

// wait returns when so many callers wait.
func (r *reads) wait(n int) {
	for cache.WaitingGets(r.store) < n {
		runtime.Gosched()
	}
}

// busy has two calls be under way, and returns when n more callers wait.
func (r *reads) busy(n int, more func()) {
	r.t.Helper()
	for range 2 {
		r.read(r.t.Context(), "0", nil)
		if got := r.under(); got != "get 0" {
			r.t.Fatalf("%s is under way", got)
		}
	}
	more()
	r.wait(n)
}

// TestReadsShareCalls: those that come while two calls are under way go out together, and each gets its own.
func TestReadsShareCalls(t *testing.T) {
	r := newReads(t, nil)
	r.busy(3, func() {
		r.read(t.Context(), "1", nil)
		r.read(t.Context(), "nothing", cache.ErrNotFound)
		r.read(t.Context(), "1", nil)
	})
	r.gate.open <- struct{}{}
	call := strings.Fields(r.under())
	slices.Sort(call)
	if want := []string{"1", "1", "mget", "nothing"}; !slices.Equal(call, want) {
		t.Errorf("%v goes out, want %v", call, want)
	}
	close(r.gate.open)
	r.all.Wait()
	r.read(t.Context(), "2", nil)
	if got := r.under(); got != "get 2" {
		t.Errorf("alone, %s goes out", got)
	}
	r.all.Wait()
}

// TestSharedCallIsNobodysOwn: who leaves has an answer at once, and takes nothing away from the others.
func TestSharedCallIsNobodysOwn(t *testing.T) {
	for first := range 2 {
		r := newReads(t, nil)
		ctx, leave := context.WithCancelCause(t.Context())
		left := errors.New("left")
		r.busy(2, func() {
			for i := range 2 {
				if i == first {
					r.read(ctx, "1", left)
				} else {
					r.read(t.Context(), "2", nil)
				}
				r.wait(i + 1)
			}
		})
		leave(left)
		close(r.gate.open)
		r.all.Wait()
	}
}

// TestSharedCallsAreBounded, and last as long as the most patient of those who share them.
func TestSharedCallsAreBounded(t *testing.T) {
	r := newReads(t, nil)
	const waiting = 70 // of which 64 go together
	r.busy(waiting, func() {
		for i := range waiting {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+i)*time.Hour)
			t.Cleanup(cancel)
			r.read(ctx, strconv.Itoa(i%10), nil)
			r.wait(i + 1)
		}
	})
	r.gate.open <- struct{}{}
	if call := strings.Fields(r.under()); len(call) != 1+64 {
		t.Errorf("%d go out together", len(call)-1)
	}
	if end := <-r.gate.ends; time.Until(end) < 63*time.Hour {
		t.Errorf("the call has %s, want as long as the most patient", time.Until(end))
	}
	close(r.gate.open)
	r.all.Wait()
}

// TestLongValuesAreReadApart: once a call has brought one, those that wait go out one by one.
func TestLongValuesAreReadApart(t *testing.T) {
	r := newReads(t, nil)
	long := strings.Repeat("x", 300<<10)
	if err := r.store.Set(t.Context(), "long", []byte(long), time.Hour); err != nil {
		t.Fatal(err)
	}
	r.all.Go(func() { _, _ = r.store.Get(t.Context(), "long") })
	r.under()
	r.read(t.Context(), "0", nil)
	r.under()
	for i := range 3 {
		r.read(t.Context(), strconv.Itoa(i), nil)
	}
	r.wait(3)
	r.gate.open <- struct{}{}
	if call := strings.Fields(r.under()); len(call) != 2 {
		t.Errorf("%v goes out after a long value", call)
	}
	close(r.gate.open)
	r.all.Wait()
}

// TestBrokenSharedCall: what a hook does to a shared call is an error of those who share it, and no more.
func TestBrokenSharedCall(t *testing.T) {
	for desc, breaks := range map[string]func(*redis.SliceCmd){
		"a value too few": func(cmd *redis.SliceCmd) { cmd.SetVal([]any{"value 1"}) },
		"a panic":         func(*redis.SliceCmd) { panic("broken") },
		"errors":          func(cmd *redis.SliceCmd) { cmd.SetVal([]any{errors.New("one"), errors.New("two")}) },
	} {
		t.Run(desc, func(t *testing.T) {
			r := newReads(t, nil)
			r.client.AddHook(breaking{breaks: breaks})
			errs := make(chan error, 2)
			r.busy(2, func() {
				for range cap(errs) {
					go func() { _, err := r.store.Get(t.Context(), "1"); errs <- err }()
				}
			})
			close(r.gate.open)
			for range cap(errs) {
				if err := <-errs; err == nil || errors.Is(err, cache.ErrNotFound) {
					t.Errorf("%v, want an error", err)
				}
			}
			r.all.Wait()
		})
	}
}

// breaking is a hook that breaks what comes of MGET.
type breaking struct {
	answers
	breaks func(*redis.SliceCmd)
}

func (b breaking) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if many, ok := cmd.(*redis.SliceCmd); ok {
			b.breaks(many)
			return nil
		}
		return next(ctx, cmd)
	}
}

// ProcessPipelineHook changes nothing.
func (breaking) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// TestSharedCallFails: all of them are told, and none that there is no value.
func TestSharedCallFails(t *testing.T) {
	r := newReads(t, nil)
	errs := make(chan error, 2)
	r.busy(2, func() {
		for range cap(errs) {
			go func() { _, err := r.store.Get(t.Context(), "1"); errs <- err }()
		}
	})
	for range 2 {
		r.gate.open <- struct{}{}
	}
	r.all.Wait()
	r.under()
	r.server.Kill()
	close(r.gate.open)
	for range cap(errs) {
		if err := <-errs; err == nil || errors.Is(err, cache.ErrNotFound) {
			t.Errorf("%v, want that Redis is gone", err)
		}
	}
}

// TestSharedCallIsInEachTrace: for each it took that time.
func TestSharedCallIsInEachTrace(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	tp := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	r := newReads(t, tp)
	mine, first := tp.Tracer("test").Start(t.Context(), "first")
	theirs, second := tp.Tracer("test").Start(t.Context(), "second")
	r.busy(3, func() {
		r.read(unsampled(t), "1", nil)
		r.read(mine, "2", nil)
		r.read(theirs, "3", nil)
	})
	close(r.gate.open)
	r.all.Wait()
	var under []string
	for _, s := range spans.Ended() {
		switch s.Parent().SpanID() {
		case first.SpanContext().SpanID():
			under = append(under, "first: "+s.Name())
		case second.SpanContext().SpanID():
			under = append(under, "second: "+s.Name())
		default:
			t.Errorf("a span %s elsewhere", s.Name())
		}
	}
	slices.Sort(under)
	if want := []string{"first: MGET", "second: MGET"}; !slices.Equal(under, want) {
		t.Errorf("spans %v, want %v", under, want)
	}
}
