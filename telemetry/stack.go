package telemetry

import (
	"fmt"
	"runtime"
	"strings"
)

// panicStack is where the panic came from that the calling deferred function recovered: function and line,
// innermost first, from the one that panicked to the router, and at most 32.
func panicStack() string {
	const most = 32
	callers := make([]uintptr, 2*most)
	frames := runtime.CallersFrames(callers[:runtime.Callers(0, callers)])
	var b strings.Builder
	panicked := false
	for n := 0; n < most; {
		frame, more := frames.Next()
		switch {
		case frame.Function == "runtime.gopanic":
			panicked = true
			b.Reset() // of panics within panics the first is the cause
			n = 0
		case strings.HasPrefix(frame.Function, "runtime."): // sigpanic, panicmem and the like
		case frame.Function == "net/http.(*ServeMux).ServeHTTP":
			return b.String()
		case panicked:
			fmt.Fprintf(&b, "%s\n\t%s:%d\n", frame.Function, frame.File, frame.Line)
			n++
		}
		if !more {
			break
		}
	}
	return b.String()
}
