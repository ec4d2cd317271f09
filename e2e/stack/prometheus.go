package stack

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"
)

// Sample is a series of an instant query.
type Sample struct {
	Metric map[string]string `json:"metric"`
	Point  Point             `json:"value"`
}

// Point is a time in seconds since 1970, and a number as text.
type Point [2]any

// Value is the number. Prometheus writes no other.
func (p Point) Value() float64 {
	text, _ := p[1].(string)
	v, _ := strconv.ParseFloat(text, 64)
	return v
}

// Series is one of a range query.
type Series struct {
	Metric map[string]string `json:"metric"`
	Points []Point           `json:"values"`
	// Histograms are times and native histograms.
	Histograms [][2]any `json:"histograms"`
}

var errNoData = errors.New("no data")

// Query asks Prometheus; no samples are an error.
func (s *Stack) Query(ctx context.Context, promql string) ([]Sample, error) {
	return query[Sample](ctx, s.Prometheus+"/api/v1/query", url.Values{"query": {promql}})
}

// QueryRange asks for the time from start to now; no series are an error.
func (s *Stack) QueryRange(ctx context.Context, promql string, start time.Time, step time.Duration) ([]Series, error) {
	return query[Series](ctx, s.Prometheus+"/api/v1/query_range", url.Values{
		"query": {promql}, "start": {unix(start)}, "end": {unix(time.Now())}, "step": {step.String()},
	})
}

func unix(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }

func query[T any](ctx context.Context, address string, params url.Values) ([]T, error) {
	var answer struct {
		Data struct{ Result []T }
	}
	if err := GetJSON(ctx, address+"?"+params.Encode(), &answer); err != nil {
		return nil, err
	}
	if len(answer.Data.Result) == 0 {
		return nil, fmt.Errorf("%w: %s", errNoData, params.Get("query"))
	}
	return answer.Data.Result, nil
}

// Alert is one that Prometheus has, pending or firing.
type Alert struct {
	Labels   map[string]string
	State    string
	ActiveAt time.Time
}

// Alerts are those of a name whose labels have these values.
func (s *Stack) Alerts(ctx context.Context, name string, labels map[string]string) (found []Alert, err error) {
	var answer struct{ Data struct{ Alerts []Alert } }
	if err := GetJSON(ctx, s.Prometheus+"/api/v1/alerts", &answer); err != nil {
		return nil, err
	}
next:
	for _, a := range answer.Data.Alerts {
		if a.Labels["alertname"] != name {
			continue
		}
		for label, want := range labels {
			if a.Labels[label] != want {
				continue next
			}
		}
		found = append(found, a)
	}
	return found, nil
}
