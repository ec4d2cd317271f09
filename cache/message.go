package cache

import (
	"encoding/binary"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// messageKind says what happened.
type messageKind byte

const (
	filled    messageKind = 'f' // key has a new value, of this id
	failed    messageKind = 'x' // the load of key failed
	released  messageKind = 'u' // the load of key brought nothing that is for all
	passed    messageKind = 'p' // the load of key brought what is not kept; payload is its envelope
	abandoned messageKind = 'a' // this process gave up on the load of key
	purged    messageKind = 'd' // key was purged
	voided    messageKind = 't' // tags were purged, or all
)

// message is what processes tell each other.
type message struct {
	kind  messageKind
	cache string // the cache's name
	from  string // the cache's own id, which no other has
	sent  time.Time

	key     entryKey // of all but voided
	id      uint64
	schema  uint64
	span    trace.SpanContext // of the load
	text    string            // of the error
	timeout bool              // it is ErrLoadTimeout
	failing bool              // payload is no better than an error
	payload []byte

	soft bool     // of purged and voided
	tags []string // of voided; none: all
	mark Mark     // of voided, which the store adds
}

// ends tells whether a load has brought an answer that may not be kept: what was kept before is not the answer any more.
func (m message) ends() bool { return (m.kind == passed || m.kind == released) && !m.failing }

func (m message) encode() []byte {
	b := append(make([]byte, 0, 192+len(m.payload)+len(m.text)), byte(m.kind))
	for _, s := range []string{m.cache, m.from} {
		b = appendString(b, s)
	}
	b = binary.AppendUvarint(b, uint64(m.sent.UnixNano()))
	if m.kind != voided {
		b = append(b, byte(m.key.kind))
		for _, s := range []string{m.key.host, m.key.name} {
			b = appendString(b, s)
		}
		b = binary.BigEndian.AppendUint64(b, m.id)
		b = binary.BigEndian.AppendUint64(b, m.schema)
		b = appendString(b, string(spanBytes(m.span)))
	}
	b = appendString(b, m.text)
	b = appendBool(appendBool(appendBool(b, m.timeout), m.failing), m.soft)
	b = binary.AppendUvarint(b, uint64(len(m.tags)))
	for _, tag := range m.tags {
		b = appendString(b, tag)
	}
	return append(b, m.payload...) // of voided: the mark
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// isOf tells whether a message is of that cache. All caches of a process hear those of each.
func isOf(b []byte, cache string) bool {
	r := reader{b: b}
	r.byte()
	return string(r.bytes()) == cache && !r.bad
}

// decodeMessage returns false for what is none of ours.
func decodeMessage(b []byte) (m message, ok bool) {
	r := reader{b: b}
	m.kind = messageKind(r.byte())
	m.cache, m.from = string(r.bytes()), string(r.bytes())
	m.sent = time.Unix(0, int64(r.uvarint()))
	switch m.kind {
	case filled, failed, released, passed, abandoned, purged:
		m.key.kind = kind(r.byte())
		m.key.host, m.key.name = string(r.bytes()), string(r.bytes())
		m.id, m.schema = r.uint64(), r.uint64()
		m.span = spanFrom(r.bytes())
	case voided:
	default:
		return m, false
	}
	m.text = string(r.bytes())
	m.timeout, m.failing, m.soft = r.byte() == 1, r.byte() == 1, r.byte() == 1
	for range r.uvarint() {
		m.tags = append(m.tags, string(r.bytes()))
		if r.bad {
			return m, false
		}
	}
	if r.bad {
		return m, false
	}
	m.payload = r.b
	if m.kind == voided {
		era, seq, found := strings.Cut(string(r.b), " ")
		n, err := strconv.ParseUint(seq, 10, 64)
		if !found || err != nil {
			return m, false
		}
		m.mark, m.payload = Mark{era, n}, nil
	}
	return m, true
}

// spanBytes is a span context as bytes: trace id, span id, flags. Nil for none.
func spanBytes(sc trace.SpanContext) []byte {
	if !sc.IsValid() {
		return nil
	}
	traceID, spanID := sc.TraceID(), sc.SpanID()
	return append(append(traceID[:], spanID[:]...), byte(sc.TraceFlags()))
}

func spanFrom(b []byte) trace.SpanContext {
	if len(b) != 25 {
		return trace.SpanContext{}
	}
	return trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID(b[:16]), SpanID: trace.SpanID(b[16:24]), TraceFlags: trace.TraceFlags(b[24]), Remote: true,
	})
}
