//go:build e2e

package e2e

import (
	"fmt"
	"testing"
	"time"

	"vitrine/e2e/stack"
)

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
