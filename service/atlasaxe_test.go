package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"

	"vitrine/e2e/browser"
	"vitrine/e2e/component"
)

// TestAtlasIsAccessible: axe-core finds nothing serious in whatever the page shows.
func TestAtlasIsAccessible(t *testing.T) {
	t.Parallel()
	dir := filepath.Join("..", "e2e", "browser", "axe")
	component.NPM(t, dir)
	axe, err := os.ReadFile(filepath.Join(dir, "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, map[string]string{"VITRINE_JAEGER_URL": "http://jaeger.example", "VITRINE_GRAFANA_URL": "http://grafana.example"})
	for _, test := range []struct {
		name  string
		size  browser.Size
		media []string
	}{
		{"light", browser.Desk, []string{"prefers-color-scheme", "light"}},
		{"dark", browser.Desk, []string{"prefers-color-scheme", "dark"}},
		{"phone", browser.Phone, []string{"prefers-color-scheme", "light"}},
		{"phone-dark", browser.Phone, []string{"prefers-color-scheme", "dark"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			// What fades in has no contrast yet.
			a := visit(t, p.url, test.size, append(test.media, "prefers-reduced-motion", "reduce")...)
			a.trouble = true // a stampede may come too soon after another
			check := func(what string) {
				t.Helper()
				a.picture("atlas-" + test.name + "-" + what)
				for _, violation := range eval[[]string](a, `axe.run(document, {resultTypes: ['violations']}).then(({violations}) => violations
					.filter(({impact}) => ['serious', 'critical'].includes(impact))
					.map(({id, help, nodes}) => id + ': ' + help + nodes.map(node => '\n' + node.html + '\n' + node.failureSummary).join('')))`) {
					t.Errorf("%s: %s", what, violation)
				}
			}
			a.drawn()
			a.do(chromedp.Evaluate[chromedp.Void](string(axe)))
			check("map")
			a.do(chromedp.Click(chromedp.CSS("#legend summary")))
			a.until(`document.querySelector('#legend').open`)
			check("legend")
			a.do(chromedp.Click(chromedp.CSS("#legend summary")))
			at := a.tileInView()
			a.do(chromedp.MouseClickXY(at.X, at.Y))
			a.until(`document.querySelector('#panel .swatch')`)
			check("tile")
			eventually(t, "a stampede", func() bool {
				a.do(chromedp.Click(chromedp.CSS("#stampede")))
				a.until(`!document.querySelector('#stampede').disabled`)
				return eval[bool](a, `document.querySelector('#panel .crowd') !== null`)
			})
			check("stampede")
		})
	}
}

// TestAtlasForcedColours: what the colours say is still there where a user has others.
func TestAtlasForcedColours(t *testing.T) {
	t.Parallel()
	a := visit(t, start(t, nil).url, browser.Desk, "forced-colors", "active")
	a.drawn()
	if got := eval[string](a, `getComputedStyle(document.querySelector('.tile'), '::after').borderTopColor`); got != "rgb(255, 152, 48)" {
		t.Errorf("the frame of a miss is %s, want orange", got)
	}
	a.picture("atlas-forced-colours")
}
