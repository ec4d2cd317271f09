package telemetry

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// serverTiming writes the field Server-Timing (W3C Server Timing): how long the answer took to begin, in milliseconds, and
// in which replica. A nil one writes nothing.
type serverTiming struct {
	desc string
	// quick are the values for less than a millisecond, by hundredths of it: most hits are among them, and share one.
	quick [100][]string
}

func newServerTiming(instance string) *serverTiming {
	t := &serverTiming{desc: `;desc="` + quotable.Replace(strings.Map(visible, instance)) + `"`}
	for i := range t.quick {
		t.quick[i] = []string{t.value(time.Duration(i) * 10 * time.Microsecond)}
	}
	return t
}

var quotable = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// visible leaves out what a quoted string of a header cannot hold.
func visible(r rune) rune {
	if r < ' ' || r > '~' {
		return -1
	}
	return r
}

// name sets the field of an answer that begins now.
func (t *serverTiming) name(h http.Header, start time.Time) {
	if t == nil {
		return
	}
	var value []string
	took := time.Since(start)
	if i := int(took / (10 * time.Microsecond)); i < len(t.quick) {
		value = t.quick[i]
	} else {
		value = []string{t.value(took)}
	}
	if before := h["Server-Timing"]; len(before) > 0 {
		value = append(slices.Clip(before), value...)
	}
	h["Server-Timing"] = value
}

func (t *serverTiming) value(took time.Duration) string {
	return "app;dur=" + strconv.FormatFloat(float64(took)/float64(time.Millisecond), 'f', 2, 64) + t.desc
}
