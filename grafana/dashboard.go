package main

import "fmt"

type object = map[string]any

// dashboard is one in Grafana's classic schema.
type dashboard struct {
	UID           string   `json:"uid"`
	Title         string   `json:"title"`
	Description   string   `json:"description"`
	Tags          []string `json:"tags"`
	SchemaVersion int      `json:"schemaVersion"`
	Version       int      `json:"version"`
	Editable      bool     `json:"editable"`
	GraphTooltip  int      `json:"graphTooltip"`
	Refresh       string   `json:"refresh"`
	Time          object   `json:"time"`
	Timezone      string   `json:"timezone"`
	Annotations   object   `json:"annotations"`
	Links         []object `json:"links"`
	Templating    object   `json:"templating"`
	Panels        []*panel `json:"panels"`

	y int // where the next row begins
}

const sharedCrosshair = 1

func newDashboard(name, title, description string, variables ...object) *dashboard {
	return &dashboard{
		UID: "vitrine-" + name, Title: title, Description: description, Tags: []string{"vitrine"},
		SchemaVersion: 39, Version: 1, GraphTooltip: sharedCrosshair, Refresh: "10s",
		Time: object{"from": "now-15m", "to": "now"}, Timezone: "browser",
		Annotations: object{"list": []object{}}, Links: []object{},
		Templating: object{"list": append([]object{}, variables...)},
	}
}

// row adds panels from left to right, wrapping where the 24 columns end, under a title.
func (d *dashboard) row(title string, panels ...*panel) {
	const columns = 24
	head := &panel{ID: len(d.Panels) + 1, Type: "row", Title: title, GridPos: gridPos{H: 1, W: columns, Y: d.y}}
	d.Panels = append(d.Panels, head)
	d.y++
	x, tallest := 0, 0
	for _, p := range panels {
		p.ID = len(d.Panels) + 1
		if last := d.Panels[len(d.Panels)-1].GridPos; p.below {
			p.GridPos.X, p.GridPos.Y = last.X, last.Y+last.H
		} else {
			if x+p.GridPos.W > columns {
				x, d.y, tallest = 0, d.y+tallest, 0
			}
			p.GridPos.X, p.GridPos.Y = x, d.y
			x += p.GridPos.W
		}
		tallest = max(tallest, p.GridPos.Y+p.GridPos.H-d.y)
		d.Panels = append(d.Panels, p)
	}
	d.y += tallest
}

// linkTo puts the other dashboards above the panels, with the time and the variables kept.
func (d *dashboard) linkTo(boards []*dashboard) {
	for _, other := range boards {
		if other != d {
			d.Links = append(d.Links, object{
				"title": other.Title, "type": "link", "url": "/d/" + other.UID, "tooltip": other.Description,
				"icon": "dashboard", "keepTime": true, "includeVars": true, "targetBlank": false,
			})
		}
	}
}

// annotate marks the times at which expr has a value. Where value is true its value is the time, in milliseconds.
func (d *dashboard) annotate(name, color, expr, title, text string, value bool) {
	list := d.Annotations["list"].([]object)
	d.Annotations["list"] = append(list, object{
		"name": name, "datasource": prometheus, "enable": true, "hide": false, "iconColor": color,
		// Grafana 12 reads the target, those before it what stands beside it.
		"target": object{"refId": "annotation", "expr": expr, "interval": "60s"}, "expr": expr, "step": "60s",
		"titleFormat": title, "textFormat": text, "tagKeys": "instance,cache", "useValueForTime": value,
	})
}

// started marks the start of a replica, be it new, restarted or of a new version.
func (d *dashboard) started() {
	d.annotate("Starts", "purple",
		`(process_start_time_seconds{`+replicas+`} * on (instance) group_left (service_version) target_info{job="service"}) * 1000`,
		"{{instance}} started", "version {{service_version}}", true)
}

var prometheus = object{"type": "prometheus", "uid": "prometheus"}

func variable(name, label, metric string) object {
	query := fmt.Sprintf("label_values(%s, %s)", metric, map[string]string{"instance": "instance", "route": "http_route", "cache": "cache"}[name])
	return object{
		"type": "query", "name": name, "label": label, "datasource": prometheus,
		"query":      object{"qryType": 1, "query": query, "refId": "variable"},
		"includeAll": true, "allValue": ".*", "multi": true, "refresh": 2, "sort": 1, "hide": 0,
		"current": object{"selected": true, "text": []string{"All"}, "value": []string{"$__all"}},
		"options": []object{}, "regex": "", "skipUrlSync": false,
	}
}

var (
	instanceVariable = variable("instance", "Replica", `up{job="service"}`)
	routeVariable    = variable("route", "Route", `http_server_request_duration_seconds_count{job="service"}`)
	cacheVariable    = variable("cache", "Cache", `cache_requests_total{job="service"}`)
)

// happened is how often a counter counted since the step before, by a label. Unlike increase over a longer time it has
// each event in one step only. A restart is no event.
func happened(label, counter string) string {
	sum := "sum by (" + label + ") (" + counter
	return "clamp_min(" + sum + ") - " + sum + " offset $__interval), 0)"
}

// What is inside the braces of a selector.
const (
	replicas = `job="service",instance=~"$instance"`
	routes   = replicas + `,http_route=~"$route"`
	caches   = replicas + `,cache=~"$cache"`
)
