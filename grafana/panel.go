package main

import (
	"slices"
	"strings"
)

type gridPos struct {
	H int `json:"h"`
	W int `json:"w"`
	X int `json:"x"`
	Y int `json:"y"`
}

type panel struct {
	ID              int      `json:"id"`
	Type            string   `json:"type"`
	Title           string   `json:"title"`
	Description     string   `json:"description,omitempty"`
	GridPos         gridPos  `json:"gridPos"`
	Datasource      object   `json:"datasource,omitempty"`
	Targets         []object `json:"targets,omitempty"`
	FieldConfig     *fields  `json:"fieldConfig,omitempty"`
	Options         object   `json:"options,omitempty"`
	Transformations []object `json:"transformations,omitempty"`
	Links           []object `json:"links,omitempty"`

	below bool
}

type fields struct {
	Defaults  object   `json:"defaults"`
	Overrides []object `json:"overrides"`
}

// query is an expression and what its series are called.
type query struct{ expr, legend string }

func newPanel(kind, title, unit, description string, queries []query) *panel {
	p := &panel{
		Type: kind, Title: title, Description: description, Datasource: prometheus,
		GridPos:     gridPos{W: 8, H: 8},
		FieldConfig: &fields{object{"unit": unit, "thresholds": steps("green")}, coloursOf(queries)},
	}
	for i, q := range queries {
		p.Targets = append(p.Targets, object{
			"refId": string(rune('A' + i)), "datasource": prometheus, "editorMode": "code",
			"expr": q.expr, "legendFormat": q.legend, "range": true,
			// The smallest step. Four times it is $__rate_interval: over less than a minute, a few requests a second
			// are noise. A panel's own interval would leave that at four scrapes.
			"interval": "15s",
		})
	}
	return p
}

// series draws lines over time.
func series(title, unit, description string, queries ...query) *panel {
	p := newPanel("timeseries", title, unit, description, queries)
	p.FieldConfig.Defaults["min"] = 0
	p.FieldConfig.Defaults["color"] = object{"mode": "palette-classic"}
	custom := object{
		"drawStyle": "line", "lineWidth": 1, "fillOpacity": 0, "showPoints": "never", "spanNulls": 60000,
		"thresholdsStyle": object{"mode": "off"},
	}
	if len(queries) == 1 && !strings.Contains(queries[0].legend, "{{") { // areas under several lines are mud
		custom["fillOpacity"] = 8
	}
	if slices.Contains([]string{"reqps", "ops", "short"}, unit) { // where all is 0, the axis does not go to 100
		custom["axisSoftMax"] = 1
	}
	p.FieldConfig.Defaults["custom"] = custom
	p.Options = object{
		"legend":  object{"displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": []string{}},
		"tooltip": object{"mode": "multi", "sort": "desc"},
	}
	return p
}

// stacked lays the series on one another: their sum means something. Without lines, which a series of zeros would
// have along the top.
func (p *panel) stacked() *panel {
	custom := p.FieldConfig.Defaults["custom"].(object)
	custom["lineWidth"], custom["fillOpacity"], custom["stacking"] = 0, 70, object{"mode": "normal", "group": "A"}
	return p
}

// bars are for what happens at a time rather than all the time.
func (p *panel) bars() *panel {
	custom := p.FieldConfig.Defaults["custom"].(object)
	custom["drawStyle"], custom["fillOpacity"] = "bars", 70
	return p.whole()
}

// whole is for what there are no halves of.
func (p *panel) whole() *panel { p.FieldConfig.Defaults["decimals"] = 0; return p }

// stat is one number.
func stat(title, unit, description, expr string) *panel {
	p := newPanel("stat", title, unit, description, []query{{expr, ""}})
	p.GridPos = gridPos{W: 4, H: 4}
	p.FieldConfig.Defaults["color"] = object{"mode": "thresholds"}
	p.Options = object{
		"colorMode": "value", "graphMode": "none", "justifyMode": "auto", "orientation": "auto", "textMode": "value",
		"text":          object{"valueSize": 36},
		"reduceOptions": object{"calcs": []string{"lastNotNull"}, "fields": "", "values": false},
	}
	return p
}

// gauges are bars, one for each series.
func gauges(title, unit, description string, q query) *panel {
	p := newPanel("bargauge", title, unit, description, []query{q})
	p.FieldConfig.Defaults["min"] = 0
	p.FieldConfig.Defaults["color"] = object{"mode": "thresholds"}
	p.Options = object{
		"displayMode": "basic", "orientation": "horizontal", "showUnfilled": true, "valueMode": "color",
		"reduceOptions": object{"calcs": []string{"lastNotNull"}, "fields": "", "values": false},
	}
	return p
}

// heatmap draws a native histogram.
func heatmap(title, description, expr string) *panel {
	p := newPanel("heatmap", title, "reqps", description, []query{{expr, ""}})
	p.Targets[0]["format"], p.Targets[0]["exemplar"] = "heatmap", true
	p.FieldConfig.Defaults["custom"] = object{"scaleDistribution": object{"type": "linear"}}
	p.Options = object{
		"calculate": false, "cellGap": 1, "cellValues": object{"unit": "reqps"},
		"color": object{"mode": "scheme", "scheme": "Oranges", "fill": "dark-orange", "reverse": false,
			"scale": "exponential", "exponent": 0.5, "steps": 64},
		"exemplars":    object{"color": "rgba(255,0,255,0.7)"},
		"filterValues": object{"le": 1e-9}, "legend": object{"show": true}, "rowsFrame": object{"layout": "auto"},
		"showValue": "never", "tooltip": object{"mode": "single", "showColorScale": false, "yHistogram": false},
		"yAxis": object{"axisPlacement": "left", "reverse": false, "unit": "s"},
	}
	return p
}

// empty is what a panel says where there is nothing, and that is well.
func (p *panel) empty(text string) *panel { p.FieldConfig.Defaults["noValue"] = text; return p }

// states shows since when each series has had its value.
func states(title, unit, description string, q query) *panel {
	p := newPanel("state-timeline", title, unit, description, []query{q})
	p.FieldConfig.Defaults["color"] = object{"mode": "thresholds"}
	p.FieldConfig.Defaults["custom"] = object{"fillOpacity": 70, "lineWidth": 0}
	p.Options = object{
		"mergeValues": true, "showValue": "auto", "alignValue": "left", "rowHeight": 0.8,
		"legend":  object{"displayMode": "list", "placement": "bottom", "showLegend": false},
		"tooltip": object{"mode": "single"},
	}
	return p
}

func (p *panel) size(w, h int) *panel { p.GridPos.W, p.GridPos.H = w, h; return p }

// under puts the panel below the one before it in its row.
func (p *panel) under() *panel { p.below = true; return p }

// exemplars shows the traces behind the numbers: those of the first query, since the others have the same.
func (p *panel) exemplars() *panel { p.Targets[0]["exemplar"] = true; return p }

// limits colours values: below the first number with the first colour, and so on.
func (p *panel) limits(first string, rest ...any) *panel {
	p.FieldConfig.Defaults["thresholds"] = steps(first, rest...)
	if custom, ok := p.FieldConfig.Defaults["custom"].(object); ok && p.Type == "timeseries" {
		custom["thresholdsStyle"] = object{"mode": "dashed"}
		// The last limit is in sight, so that what is far from it looks far.
		custom["axisSoftMax"] = 1.25 * number(rest[len(rest)-2])
	}
	return p
}

// names gives words to values: 0 and 1, say.
func (p *panel) names(words ...string) *panel {
	options := object{}
	for i, w := range words {
		options[string(rune('0'+i))] = object{"text": w, "index": i}
	}
	p.FieldConfig.Defaults["mappings"] = []object{{"type": "value", "options": options}}
	return p
}

func (p *panel) max(v float64) *panel { p.FieldConfig.Defaults["max"] = v; return p }

// marked gives the series whose names match a colour of their own.
func (p *panel) marked(names, color string) *panel {
	p.FieldConfig.Overrides = append(p.FieldConfig.Overrides, override("byRegexp", names, fixed(color)))
	return p
}

// logarithmic is for values of several orders of magnitude.
func (p *panel) logarithmic() *panel {
	delete(p.FieldConfig.Defaults, "min")
	delete(p.FieldConfig.Defaults["custom"].(object), "axisSoftMax")
	p.FieldConfig.Defaults["custom"].(object)["scaleDistribution"] = object{"type": "log", "log": 10}
	return p
}

// explained links to the dashboard that says more.
func (p *panel) explained(title, dashboard string) *panel {
	p.Links = append(p.Links, object{"title": title, "url": "/d/vitrine-" + dashboard + "?${__url_time_range}"})
	return p
}

func number(v any) float64 {
	if n, ok := v.(int); ok {
		return float64(n)
	}
	return v.(float64)
}

func steps(first string, rest ...any) object {
	s := []object{{"color": first, "value": nil}}
	for i := 0; i+1 < len(rest); i += 2 {
		s = append(s, object{"value": rest[i], "color": rest[i+1]})
	}
	return object{"mode": "absolute", "steps": s}
}
