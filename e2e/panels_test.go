//go:build e2e

package e2e

import (
	"cmp"
	"encoding/xml"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"vitrine/e2e/markdown"
	"vitrine/e2e/stack"
)

// TestPanelsPicture draws panels of the dashboard Cache from their own queries: where Grafana's image cannot be had this is
// what there is to show of it. Before that an entry is purged under a crowd.
func TestPanelsPicture(t *testing.T) {
	all, err := dashboards()
	if err != nil {
		t.Fatal(err)
	}
	within(t, 4*time.Minute, func() error {
		_, err := running.Query(t.Context(), `max(time() - process_start_time_seconds{job="prometheus"}) > 180`)
		return err
	})
	if err := running.PurgeSlow(t.Context()); err != nil {
		t.Fatal(err)
	}
	var crowd sync.WaitGroup
	for range 100 {
		crowd.Go(func() {
			if _, _, err := stack.Get(t.Context(), running.Site+"/slow"); err != nil {
				t.Error(err)
			}
		})
	}
	crowd.Wait()
	began := time.Now()
	within(t, time.Minute, func() error {
		_, err := running.Query(t.Context(), fmt.Sprintf(`min(timestamp(up{job="service"})) > %d + 15`, began.Unix()))
		return err
	})
	var drawn []string
	for _, d := range all {
		for _, p := range d.Panels {
			if d.UID == "vitrine-cache" && slices.Contains([]string{"Outcomes", "Hit ratio by tier", "Origin time saved and spent", "Duration of loads"}, p.Title) {
				drawn = append(drawn, drawPanel(t, p, time.Now().Add(-3*time.Minute), len(drawn)))
			}
		}
	}
	if len(drawn) != 4 {
		t.Fatalf("the dashboard Cache has %d of the panels", len(drawn))
	}
	picture := fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="Four panels of the dashboard Cache" font-family="system-ui, sans-serif" font-size="12">
<style>.page { fill: #fff } text { fill: #1f2328 } .grid { stroke: #d8dee4 } @media (prefers-color-scheme: dark) { .page { fill: #0d1117 } text { fill: #e6edf3 } .grid { stroke: #30363d } }</style>
<rect class="page" width="%[1]d" height="%[2]d"/>
%[3]s</svg>
`, 2*panelWidth, 2*panelHeight, strings.Join(drawn, ""))
	dir := picturesDir(t)
	err = errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, "cache-panels.svg"), []byte(picture), 0o644))
	if err != nil {
		t.Fatal(err)
	}
}

// In pixels: a panel, and what its title, its legend and its axis take of that.
const (
	panelWidth, panelHeight          = 480, 260
	panelLeft, panelTop, panelBottom = 62, 40, 50
	plotWidth, plotHeight            = panelWidth - panelLeft - 20, panelHeight - panelTop - panelBottom
)

// grafanaColours are what Grafana calls so.
var grafanaColours = map[string]string{
	"green": "#73bf69", "light-green": "#96d98d", "dark-green": "#37872d", "yellow": "#e0b400", "orange": "#ff9830", "red": "#f2495c",
	"blue": "#5794f2", "light-blue": "#8ab8ff", "dark-blue": "#1f60c4", "purple": "#b877d9", "text": "#8e8e8e",
}

var label = regexp.MustCompile(`{{(\w+)}}`)

// drawPanel is the picture of a panel since start, the which-th of a grid of two columns.
func drawPanel(t *testing.T, p panel, start time.Time, which int) string {
	t.Helper()
	const step = 5 * time.Second
	values := map[string]map[float64]float64{} // by legend and time
	for _, target := range p.Targets {
		all, err := running.QueryRange(t.Context(), filled(target.Expr), start, step)
		if err != nil {
			t.Fatalf("%s: %v", p.Title, err)
		}
		for _, series := range all {
			name := label.ReplaceAllStringFunc(target.LegendFormat, func(l string) string { return series.Metric[strings.Trim(l, "{}")] })
			values[name] = map[float64]float64{}
			for _, point := range series.Points {
				if v := point.Value(); !math.IsNaN(v) {
					values[name][point[0].(float64)] = v
				}
			}
		}
	}
	// What never was anything is left out: the legend is short.
	maps.DeleteFunc(values, func(_ string, of map[float64]float64) bool {
		return len(of) == 0 || slices.Max(slices.Collect(maps.Values(of))) == 0
	})
	if len(values) == 0 {
		t.Fatalf("%s shows nothing", p.Title)
	}
	custom := p.FieldConfig.Defaults.Custom
	y := scale(values, custom.Stacking.Mode == "normal", custom.ScaleDistribution.Type == "log")
	x := func(at float64) float64 {
		return panelLeft + plotWidth*(at-float64(start.Unix()))/(time.Since(start).Seconds())
	}

	var b strings.Builder
	fmt.Fprintf(&b, `<g transform="translate(%d %d)"><text x="%d" y="24" font-size="14" font-weight="600">%s</text>`+"\n",
		which%2*panelWidth, which/2*panelHeight, panelLeft, escaped(p.Title))
	for _, mark := range y.marks {
		fmt.Fprintf(&b, `<path class="grid" d="M%d %.1fh%d"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n",
			panelLeft, y.at(mark), plotWidth, panelLeft-6, y.at(mark)+4, escaped(withUnit(mark, p.FieldConfig.Defaults.Unit)))
	}
	sums := map[float64]float64{}
	legend := float64(panelLeft)
	names := slices.Sorted(maps.Keys(values))
	for _, name := range names {
		times := slices.Sorted(maps.Keys(values[name]))
		var upper, lower []string
		for _, at := range times {
			if custom.Stacking.Mode == "normal" {
				lower = append(lower, fmt.Sprintf("%.1f %.1f", x(at), y.at(sums[at])))
				sums[at] += values[name][at]
				upper = append(upper, fmt.Sprintf("%.1f %.1f", x(at), y.at(sums[at])))
			} else {
				upper = append(upper, fmt.Sprintf("%.1f %.1f", x(at), y.at(values[name][at])))
			}
		}
		colour := colourOf(p, name)
		slices.Reverse(lower)
		if path := "M" + strings.Join(append(upper, lower...), "L"); len(lower) > 0 {
			fmt.Fprintf(&b, `<path fill="%s" d="%sZ"/>`+"\n", colour, path)
		} else {
			fmt.Fprintf(&b, `<path fill="none" stroke="%s" stroke-width="2" d="%s"/>`+"\n", colour, path)
		}
		fmt.Fprintf(&b, `<rect x="%.0f" y="%d" width="12" height="4" fill="%s"/><text x="%.0f" y="%d">%s</text>`+"\n",
			legend, panelHeight-18, colour, legend+17, panelHeight-12, escaped(name))
		legend += 36 + 7*float64(len(name))
	}
	const clock, below = "15:04", panelTop + plotHeight + 16
	fmt.Fprintf(&b, `<text x="%d" y="%d">%s</text><text x="%d" y="%d" text-anchor="end">%s</text></g>`+"\n",
		panelLeft, below, start.UTC().Format(clock), panelLeft+plotWidth, below, time.Now().UTC().Format(clock))
	return b.String()
}

// axis is where values stand, and which of them are marked.
type axis struct {
	at    func(float64) float64
	marks []float64
}

func scale(values map[string]map[float64]float64, stacked, logarithmic bool) axis {
	least, most, sums := math.Inf(1), 0., map[float64]float64{}
	for _, of := range values {
		for at, v := range of {
			if sums[at] += v; !stacked {
				sums[at] = v
			}
			most = max(most, sums[at])
			if v > 0 {
				least = min(least, v)
			}
		}
	}
	if logarithmic {
		from, to := math.Floor(math.Log10(least)), math.Ceil(math.Log10(most))
		a := axis{at: func(v float64) float64 {
			return panelTop + plotHeight*(1-(max(math.Log10(v), from)-from)/(to-from))
		}}
		for power := from; power <= to; power++ {
			a.marks = append(a.marks, math.Pow(10, power))
		}
		return a
	}
	step := math.Pow(10, math.Floor(math.Log10(most)))
	for most/step < 3 {
		step /= 2
	}
	top := math.Ceil(most/step-1e-9) * step
	a := axis{at: func(v float64) float64 { return panelTop + plotHeight*(1-v/top) }}
	for mark := 0.; mark <= top*1.001; mark += step {
		a.marks = append(a.marks, mark)
	}
	return a
}

func withUnit(v float64, unit string) string {
	switch unit {
	case "percentunit":
		return markdown.Number(100*v) + " %"
	case "reqps":
		return markdown.Number(v) + "/s"
	case "s":
		return time.Duration(v * float64(time.Second)).String()
	}
	return markdown.Number(v) + " " + strings.TrimPrefix(unit, "suffix:")
}

// colourOf is the colour that the panel's overrides give a series.
func colourOf(p panel, name string) string {
	for _, o := range p.FieldConfig.Overrides {
		if o.Matcher.Options != name {
			continue
		}
		for _, property := range o.Properties {
			if value, ok := property.Value.(map[string]any); ok && property.ID == "color" {
				colour := fmt.Sprint(value["fixedColor"])
				return cmp.Or(grafanaColours[colour], colour)
			}
		}
	}
	return grafanaColours["text"]
}

func escaped(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a Builder takes all
	return b.String()
}
