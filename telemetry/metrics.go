package telemetry

import (
	"fmt"
	"net/http"
	"os"
	"regexp"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
)

func newRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(
		collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(collectors.GoRuntimeMetricsRule{
			Matcher: regexp.MustCompile(`^(/sched/latencies:seconds|/sched/pauses/total/gc:seconds|/gc/heap/live:bytes|/cpu/classes/gc/total:cpu-seconds)$`),
		})),
		cgroup{os.DirFS("/sys/fs/cgroup")},
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collectors.NewBuildInfoCollector(),
	)
	return r
}

// targetInfo says who exposes these metrics, as spans do (OpenTelemetry's compatibility with Prometheus,
// resource attributes).
func targetInfo(res *resource.Resource) prometheus.Collector {
	labels := prometheus.Labels{}
	for label, key := range map[string]attribute.Key{
		"service_name": "service.name", "service_version": "service.version", "service_instance_id": "service.instance.id",
	} {
		value, _ := res.Set().Value(key)
		labels[label] = value.AsString()
	}
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "target_info", Help: "Who this is: 1.", ConstLabels: labels,
	}, func() float64 { return 1 })
}

// scrapeMetrics say what the exposition costs; promhttp itself counts requests and errors. They are seen in
// the scrape after theirs.
type scrapeMetrics struct {
	duration, size *prometheus.HistogramVec
}

func newScrapeMetrics(r prometheus.Registerer) *scrapeMetrics {
	size := prometheus.HistogramOpts{
		Name:                            "promhttp_metric_handler_response_size_bytes",
		Help:                            "Size of an exposition as it was sent, compressed where the scraper takes that.",
		Buckets:                         prometheus.ExponentialBuckets(1<<10, 4, 8), // to 16 MiB
		NativeHistogramBucketFactor:     1.1,
		NativeHistogramMaxBucketNumber:  100,
		NativeHistogramMinResetDuration: time.Hour,
	}
	m := &scrapeMetrics{
		duration: prometheus.NewHistogramVec(durations("promhttp_metric_handler_request_duration_seconds",
			"Duration of gathering and sending an exposition."), nil),
		size: prometheus.NewHistogramVec(size, nil),
	}
	m.duration.WithLabelValues()
	m.size.WithLabelValues()
	r.MustRegister(m.duration, m.size)
	return m
}

// Metrics serves the registry to Prometheus, in OpenMetrics (with exemplars) and protobuf (with native
// histograms) for those that ask.
func (t *Telemetry) Metrics() http.Handler {
	exposition := promhttp.InstrumentMetricHandler(t.Registry, promhttp.HandlerFor(t.Registry, promhttp.HandlerOpts{
		Registry:          t.Registry,
		ErrorLog:          promLog{t},
		EnableOpenMetrics: true,
	}))
	return promhttp.InstrumentHandlerDuration(t.scrapes.duration,
		promhttp.InstrumentHandlerResponseSize(t.scrapes.size, exposition))
}

// promLog hands promhttp's errors to the logger.
type promLog struct{ t *Telemetry }

func (l promLog) Println(v ...any) { l.t.Logger.Error("metrics", "error", fmt.Sprint(v...)) }

// seconds are the classic bucket bounds for durations: the advice of OpenTelemetry's HTTP conventions, and
// lower ones, because an answer from a cache takes microseconds.
var seconds = []float64{.00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10}

// durations describes a histogram of seconds with classic and native buckets.
func durations(name, help string) prometheus.HistogramOpts {
	return prometheus.HistogramOpts{
		Name: name, Help: help, Buckets: seconds,
		NativeHistogramBucketFactor:     1.1,
		NativeHistogramMaxBucketNumber:  100,
		NativeHistogramMinResetDuration: time.Hour,
	}
}
