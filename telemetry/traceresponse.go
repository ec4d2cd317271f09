package telemetry

import (
	"encoding/hex"
	"net/http"
	"sync"

	"go.opentelemetry.io/otel/trace"
)

// nameTrace sets the field Traceresponse (W3C Trace Context, level 2), if the span is this process' own.
func (t *Telemetry) nameTrace(h http.Header, sc trace.SpanContext) {
	if !sc.IsValid() || sc.IsRemote() {
		return
	}
	traceID, spanID := sc.TraceID(), sc.SpanID()
	b := make([]byte, 0, len("00-")+2*len(traceID)+len("-")+2*len(spanID)+len("-01"))
	b = hex.AppendEncode(append(b, "00-"...), traceID[:])
	b = hex.AppendEncode(append(b, '-'), spanID[:])
	b = hex.AppendEncode(append(b, '-'), []byte{byte(sc.TraceFlags())})
	h["Traceresponse"] = t.singles.of(string(b))
}

// singles makes slices of one string out of larger ones, so that a header field costs one allocation and
// not two. Each has no room for a second string, and is given away for good.
type singles struct{ pool sync.Pool }

func (s *singles) of(v string) []string {
	const many = 64
	left, _ := s.pool.Get().(*[]string)
	if left == nil {
		left = new([]string)
	}
	if len(*left) == 0 {
		*left = make([]string, many)
	}
	one := (*left)[:1:1]
	*left = (*left)[1:]
	s.pool.Put(left)
	one[0] = v
	return one
}
