package telemetry

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/felixge/httpsnoop"
)

// answer is what was seen of a response.
type answer struct {
	status int
	bytes  int64
	begun  bool
	begins func() // is told; nil: nobody
}

// answerTo is one to a request that came at start, with Server-Timing in h once it begins.
func (t *Telemetry) answerTo(h http.Header, start time.Time) *answer {
	a := &answer{status: http.StatusOK}
	if t.timing != nil {
		a.begins = func() { t.timing.name(h, start) }
	}
	return a
}

// begin says that the answer begins, unless it has.
func (a *answer) begin() {
	if !a.begun && a.begins != nil {
		a.begins()
	}
	a.begun = true
}

// watch wraps w without losing its optional interfaces. Each way to begin an answer has a
// hook; those for WriteString and FlushError are Write's and Flush's.
func (a *answer) watch(w http.ResponseWriter) http.ResponseWriter {
	return httpsnoop.Wrap(w, httpsnoop.Hooks{
		WriteHeader: func(next httpsnoop.WriteHeaderFunc) httpsnoop.WriteHeaderFunc {
			return func(code int) {
				informational := code < 200 && code != http.StatusSwitchingProtocols
				if !a.begun && !informational {
					a.status = code
					a.begin()
				}
				next(code)
			}
		},
		Write: func(next httpsnoop.WriteFunc) httpsnoop.WriteFunc {
			return func(b []byte) (int, error) {
				a.begin()
				n, err := next(b)
				a.bytes += int64(n)
				return n, err
			}
		},
		ReadFrom: func(next httpsnoop.ReadFromFunc) httpsnoop.ReadFromFunc {
			return func(src io.Reader) (int64, error) {
				a.begin()
				n, err := next(src)
				a.bytes += n
				return n, err
			}
		},
		Flush: func(next httpsnoop.FlushFunc) httpsnoop.FlushFunc {
			return func() { a.begin(); next() }
		},
		Hijack: func(next httpsnoop.HijackFunc) httpsnoop.HijackFunc {
			return func() (net.Conn, *bufio.ReadWriter, error) { a.begin(); return next() }
		},
	})
}
