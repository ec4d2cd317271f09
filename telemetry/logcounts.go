package telemetry

import (
	"io"

	"github.com/prometheus/client_golang/prometheus"
)

// logCounts are the records that are in no log.
type logCounts struct {
	write   prometheus.Counter // the writer failed
	sampled prometheus.Counter // left out on purpose
}

func newLogCounts(r prometheus.Registerer) logCounts {
	dropped := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "log_records_dropped_total", Help: "Log records that were not written.",
	}, []string{"reason"})
	r.MustRegister(dropped)
	return logCounts{write: dropped.WithLabelValues("write"), sampled: dropped.WithLabelValues("sampled")}
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
