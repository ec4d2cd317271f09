package telemetry

import (
	"bufio"
	"io"
	"net"
	"net/http"

	"github.com/felixge/httpsnoop"
)

// answer is what was seen of a response.
type answer struct {
	status int
	bytes  int64
	begun  bool
}

// watch wraps w without losing its optional interfaces. Each way to begin an answer has a
// hook; those for WriteString and FlushError are Write's and Flush's.
func (a *answer) watch(w http.ResponseWriter) http.ResponseWriter {
	return httpsnoop.Wrap(w, httpsnoop.Hooks{
		WriteHeader: func(next httpsnoop.WriteHeaderFunc) httpsnoop.WriteHeaderFunc {
			return func(code int) {
				informational := code < 200 && code != http.StatusSwitchingProtocols
				if !a.begun && !informational {
					a.status, a.begun = code, true
				}
				next(code)
			}
		},
		Write: func(next httpsnoop.WriteFunc) httpsnoop.WriteFunc {
			return func(b []byte) (int, error) {
				a.begun = true
				n, err := next(b)
				a.bytes += int64(n)
				return n, err
			}
		},
		ReadFrom: func(next httpsnoop.ReadFromFunc) httpsnoop.ReadFromFunc {
			return func(src io.Reader) (int64, error) {
				a.begun = true
				n, err := next(src)
				a.bytes += n
				return n, err
			}
		},
		Flush: func(next httpsnoop.FlushFunc) httpsnoop.FlushFunc {
			return func() { a.begun = true; next() }
		},
		Hijack: func(next httpsnoop.HijackFunc) httpsnoop.HijackFunc {
			return func() (net.Conn, *bufio.ReadWriter, error) { a.begun = true; return next() }
		},
	})
}
