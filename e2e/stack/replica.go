package stack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// Container is one of a service.
type Container struct {
	ID      string // twelve digits: its host name
	Image   string
	State   string // running, exited, …
	Health  string // healthy, unhealthy, starting, or empty
	Service string
}

// All are the containers of a service, also those that do not run.
func (s *Stack) All(ctx context.Context, service string) (all []Container, err error) {
	out, err := s.Compose(ctx, "ps", "--all", "--format", "json", service)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(out) {
		var one Container
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			return nil, fmt.Errorf("docker compose ps: %w: %s", err, line)
		}
		all = append(all, one)
	}
	return all, nil
}

// Replica asks one container of the service, past the load balancer: its port 8080 is what users reach, 8081 the
// operators'. The answer comes with its header.
func (s *Stack) Replica(ctx context.Context, id, portAndPath string, args ...string) (string, error) {
	return s.Compose(ctx, "exec", append([]string{
		"-T", "nginx", "curl", "--silent", "--show-error", "--fail-with-body", "--include", "--max-time", "10",
		"--header", "Host: vitrine", "http://" + id + ":" + portAndPath,
	}, args...)...)
}

// Metrics are what a replica exposes now.
type Metrics map[string]*dto.MetricFamily

// Metrics asks a replica for them.
func (s *Stack) Metrics(ctx context.Context, id string) (Metrics, error) {
	text, err := s.Replica(ctx, id, "8081/metrics", "--no-include")
	if err != nil {
		return nil, err
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	return parser.TextToMetricFamilies(bytes.NewBufferString(text))
}

// Sum adds up the samples of a name that have these labels: values, or counts of histograms.
func (m Metrics) Sum(name string, labels map[string]string) (sum float64) {
next:
	for _, metric := range m[name].GetMetric() {
		has := map[string]string{}
		for _, label := range metric.GetLabel() {
			has[label.GetName()] = label.GetValue()
		}
		for name, want := range labels {
			if has[name] != want {
				continue next
			}
		}
		sum += metric.GetCounter().GetValue() + metric.GetGauge().GetValue() + float64(metric.GetHistogram().GetSampleCount())
	}
	return sum
}

// Serving fails unless so many replicas are healthy, and each of them is in touch with Redis.
func (s *Stack) Serving(ctx context.Context, want int) error {
	all, err := s.All(ctx, "service")
	if err != nil {
		return err
	}
	healthy := 0
	for _, one := range all {
		if one.Health == "healthy" {
			healthy++
		}
	}
	if healthy != want || len(all) != want {
		return fmt.Errorf("%d of %d replicas are healthy, want %d", healthy, len(all), want)
	}
	for _, one := range all {
		m, err := s.Metrics(ctx, one.ID)
		if err != nil {
			return err
		}
		if m.Sum("cache_breaker_state", nil) > 0 {
			return fmt.Errorf("%s leaves Redis out", one.ID)
		}
		ready, err := s.Replica(ctx, one.ID, "8081/readyz")
		if err == nil && strings.Contains(ready, "degraded") {
			err = errors.New(ready)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
