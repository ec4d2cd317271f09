//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"vitrine/e2e/stack"
)

// frames fails where Grafana's own way to a panel's data, its proxy to the data source, brings none since start.
func frames(ctx context.Context, target target, start time.Time) error {
	query, err := json.Marshal(map[string]any{
		"from": fmt.Sprint(start.UnixMilli()), "to": fmt.Sprint(time.Now().UnixMilli()),
		"queries": []any{map[string]any{
			"refId": "A", "datasource": map[string]string{"type": "prometheus", "uid": "prometheus"},
			// Grafana fills in the times by itself, and the page the variables.
			"expr": selected.Replace(target.Expr), "range": target.Range, "instant": target.Instant, "format": target.Format,
			"interval": target.Interval, "intervalMs": 15000, "maxDataPoints": 100,
		}},
	})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, grafana+"/api/ds/query", bytes.NewReader(query))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var answer struct {
		Message string
		Results map[string]struct {
			Error  string
			Frames []struct{ Data struct{ Values [][]any } }
		}
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return fmt.Errorf("%s: %w", res.Status, err)
	}
	for _, frame := range answer.Results["A"].Frames {
		for _, column := range frame.Data.Values {
			if len(column) > 0 {
				return nil
			}
		}
	}
	return fmt.Errorf("%s: no frames: %s%s: %s", res.Status, answer.Message, answer.Results["A"].Error, target.Expr)
}

func TestGrafana(t *testing.T) {
	requireGrafana(t)
	for _, uid := range []string{"prometheus", "jaeger", "alertmanager"} {
		within(t, time.Minute, func() error {
			var health struct{ Status, Message string }
			err := stack.GetJSON(t.Context(), grafana+"/api/datasources/uid/"+uid+"/health", &health)
			if err == nil && health.Status != "OK" {
				err = fmt.Errorf("data source %s is %s: %s", uid, health.Status, health.Message)
			}
			return err
		})
	}
	all, err := dashboards()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range all {
		var got struct {
			Dashboard dashboard
			Meta      struct {
				FolderTitle string
				CanSave     bool
			}
		}
		if err := stack.GetJSON(t.Context(), grafana+"/api/dashboards/uid/"+want.UID, &got); err != nil {
			t.Fatal(err)
		}
		if len(got.Dashboard.Panels) != len(want.Panels) || got.Meta.FolderTitle != "Vitrine" || got.Meta.CanSave {
			t.Errorf("%s: %d panels in folder %q, may be changed by anyone: %t; want %d in Vitrine, and no", want.Title,
				len(got.Dashboard.Panels), got.Meta.FolderTitle, got.Meta.CanSave, len(want.Panels))
		}
	}
}
