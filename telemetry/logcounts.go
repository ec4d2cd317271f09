package telemetry

import "github.com/prometheus/client_golang/prometheus"

type logCounts struct{ sampled prometheus.Counter }

func newLogCounts(r prometheus.Registerer) logCounts {
	dropped := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "log_records_dropped_total", Help: "Log records that were not written.",
	}, []string{"reason"})
	r.MustRegister(dropped)
	return logCounts{dropped.WithLabelValues("sampled")}
}
