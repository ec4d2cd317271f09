package telemetry

import (
	"io"

	"github.com/prometheus/client_golang/prometheus"
)

// newLogCounts registers the records that are in no log: those left out on purpose, which lines counts, and
// those that the writer failed at, which the counter does.
func newLogCounts(r prometheus.Registerer, lines *accessLog) prometheus.Counter {
	dropped := func(reason string) prometheus.CounterOpts {
		return prometheus.CounterOpts{
			Name: "log_records_dropped_total", Help: "Log records that were not written.",
			ConstLabels: prometheus.Labels{"reason": reason},
		}
	}
	unwritten := prometheus.NewCounter(dropped("write"))
	r.MustRegister(unwritten, prometheus.NewCounterFunc(dropped("sampled"), lines.sampledOut))
	return unwritten
}

// countingWriter counts the records that w does not take whole: slog tells nobody. Its handlers write a
// record with one Write.
type countingWriter struct {
	w         io.Writer
	unwritten prometheus.Counter
}

func (c countingWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	if err != nil {
		c.unwritten.Inc()
	}
	return n, err
}
