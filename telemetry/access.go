package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// Annotate is asked for each request's context before it is answered, and the Note for its access line
// afterwards. Package cache has one.
type Annotate = func(context.Context) (context.Context, Note)

// Note returns attributes of the access line, and whether the answer was routine, as a hit is: of those a
// busy service need not log every one.
type Note = func() (attrs []slog.Attr, routine bool)

// exchange is a request and how it was answered.
type exchange struct {
	route   string
	status  int // 0: there was no answer
	bytes   int64
	elapsed time.Duration
	end     time.Time
}

// accessLog decides which access lines are written, and what they say.
type accessLog struct {
	query  bool
	client ClientAddress
	slow   time.Duration
	first  int64 // lines of routine answers a second; negative: all

	second  atomic.Int64 // in which routine lines are counted, since 1970
	before  atomic.Int64 // lines that were due before it
	due     atomic.Int64 // routine lines, ever
	written atomic.Int64 // of these
}

// sampledOut is how many routine answers have no line.
func (l *accessLog) sampledOut() float64 {
	written := l.written.Load()
	return float64(l.due.Load() - written)
}

// Of the routine answers beyond the first in a second, one in so many has its line.
const oneIn = 100

func newAccessLog(o Options, text bool) *accessLog {
	l := &accessLog{query: o.LogQuery, client: o.LogClient, slow: o.SlowRequest, first: int64(o.RoutineLines)}
	if l.slow == 0 {
		l.slow = time.Second
	}
	if l.first == 0 {
		l.first = 100
	}
	if text {
		l.first = -1 // somebody reads along
	}
	return l
}

// rate is how many exchanges the line of x stands for; 0 means that it has none.
func (l *accessLog) rate(x exchange, routine bool) int {
	if l.first < 0 || !routine || x.status >= http.StatusBadRequest || x.elapsed >= l.slow {
		return 1
	}
	// Two at the turn of a second may both count from 0: a line more, or less.
	if now := x.end.Unix(); l.second.Load() != now && l.second.Swap(now) != now {
		l.before.Store(l.due.Load())
	}
	switch n := l.due.Add(1) - l.before.Load() - l.first; {
	case n <= 0:
		l.written.Add(1)
		return 1
	case n%oneIn == 0:
		l.written.Add(1)
		return oneIn
	}
	return 0
}

// attrs is what the line says, with extra. Queries and addresses may be secret, or somebody's own.
func (l *accessLog) attrs(r *http.Request, x exchange, rate int, extra []slog.Attr) []slog.Attr {
	attrs := append(make([]slog.Attr, 0, 14),
		slog.String("method", r.Method),
		slog.String("route", x.route),
		slog.String("path", r.URL.Path),
		slog.Int("status", x.status),
		slog.Int64("bytes", x.bytes),
		slog.Float64("duration", x.elapsed.Seconds()),
	)
	if l.query && r.URL.RawQuery != "" {
		attrs = append(attrs, slog.String("query", r.URL.RawQuery))
	}
	if address := l.client.of(r); address != "" {
		attrs = append(attrs, slog.String("client", address))
	}
	if rate > 1 {
		attrs = append(attrs, slog.Int("sample_rate", rate))
	}
	return append(attrs, extra...)
}

// access writes the access line of x, if it is to have one. extra is asked only then.
func (t *Telemetry) access(ctx context.Context, r *http.Request, x exchange, routine bool, extra func() []slog.Attr) {
	level := slog.LevelInfo
	if x.status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	if !t.Logger.Enabled(ctx, level) {
		return
	}
	rate := t.lines.rate(x, routine)
	if rate == 0 {
		return
	}
	t.Logger.LogAttrs(ctx, level, "request", t.lines.attrs(r, x, rate, extra())...)
}

// ClientAddress is whose address access lines have.
type ClientAddress int

// ClientNone logs no address, ClientPeer that of the connection, and ClientForwarded what the nearest proxy
// put into X-Forwarded-For: the last address there, because any client can write those before it.
const (
	ClientNone ClientAddress = iota
	ClientPeer
	ClientForwarded
)

var clientAddresses = []string{"none", "peer", "forwarded"}

// UnmarshalText reads none, peer or forwarded.
func (c *ClientAddress) UnmarshalText(text []byte) error {
	i := slices.Index(clientAddresses, string(text))
	if i < 0 {
		return fmt.Errorf("allowed are %s", strings.Join(clientAddresses, ", "))
	}
	*c = ClientAddress(i)
	return nil
}

func (c ClientAddress) of(r *http.Request) string {
	peer, _ := splitHostPort(r.RemoteAddr)
	switch lines := r.Header["X-Forwarded-For"]; {
	case c == ClientNone:
		return ""
	case c == ClientForwarded && len(lines) > 0:
		last := lines[len(lines)-1]
		return strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])
	}
	return peer
}
