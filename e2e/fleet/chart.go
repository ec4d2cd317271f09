package main

import (
	"encoding/xml"
	"fmt"
	"math"
	"strings"

	"vitrine/e2e/markdown"
)

// chart is a picture of lines that were predicted, and of points that were simulated.
type chart struct {
	title string
	x, y  axis
	each  []series
}

// axis goes from one value to another, by powers of ten or evenly.
type axis struct {
	label    string
	from, to float64
	log      bool
	step     float64              // between marks, where it goes evenly
	mark     func(float64) string // nil: the number
}

type series struct {
	name   string
	line   [][2]float64
	points [][2]float64
	dashed bool
	below  bool // its name stands below its end
}

// The picture, and the plot in it, in pixels. To the right stand the series' names.
const (
	width, height            = 760, 440
	left, right, top, bottom = 84, 190, 44, 60
)

// hues can be told apart by those who see few colours (Okabe and Ito), and are dark enough on white and bright enough on black.
var hues = []string{"#1f83c4", "#d55e00", "#009e73", "#b0629a", "#8a7a00", "#7f7f7f"}

// at is where v stands on the axis, from 0 to 1.
func (a axis) at(v float64) float64 {
	if a.log {
		return math.Log(v/a.from) / math.Log(a.to/a.from)
	}
	return (v - a.from) / (a.to - a.from)
}

func (a axis) marks() (all []float64) {
	if !a.log {
		for v := a.from; v <= a.to+a.step/2; v += a.step {
			all = append(all, v)
		}
		return all
	}
	for v := math.Pow(10, math.Ceil(math.Log10(a.from)-1e-9)); v <= a.to*1.0001; v *= 10 {
		all = append(all, v)
	}
	return all
}

func (a axis) text(v float64) string {
	if a.mark != nil {
		return a.mark(v)
	}
	return markdown.Number(v)
}

func (c chart) place(p [2]float64) (x, y float64) {
	return left + c.x.at(p[0])*(width-left-right), height - bottom - c.y.at(p[1])*(height-top-bottom)
}

func escaped(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a Builder takes all
	return b.String()
}

// svg is the picture. It is as legible on a dark page as on a light one.
func (c chart) svg() string {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="%s" font-family="system-ui, sans-serif" font-size="13">
<style>
.page { fill: #fff } text { fill: #1f2328 } .grid { stroke: #d8dee4 } .axis { stroke: #59636e } .hole { fill: #fff }
@media (prefers-color-scheme: dark) { .page, .hole { fill: #0d1117 } text { fill: #e6edf3 } .grid { stroke: #30363d } .axis { stroke: #9198a1 } }
.line { fill: none; stroke-width: 2 } .dashed { stroke-dasharray: 6 4 }
</style>
<rect class="page" width="%d" height="%d"/>
<text x="%d" y="24" font-size="15" font-weight="600">%s</text>
`, width, height, escaped(c.title), width, height, left, escaped(c.title))
	for _, v := range c.x.marks() {
		x, _ := c.place([2]float64{v, c.y.from})
		fmt.Fprintf(&b, `<line class="grid" x1="%.1f" y1="%d" x2="%.1f" y2="%d"/><text x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n",
			x, top, x, height-bottom, x, height-bottom+20, escaped(c.x.text(v)))
	}
	for _, v := range c.y.marks() {
		_, y := c.place([2]float64{c.x.from, v})
		fmt.Fprintf(&b, `<line class="grid" x1="%d" y1="%.1f" x2="%d" y2="%.1f"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n",
			left, y, width-right, y, left-8, y+4, escaped(c.y.text(v)))
	}
	fmt.Fprintf(&b, `<path class="axis" fill="none" d="M%d %dV%dH%d"/>`+"\n", left, top, height-bottom, width-right)
	fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle">%s</text>`+"\n", left+(width-left-right)/2, height-14, escaped(c.x.label))
	fmt.Fprintf(&b, `<text transform="translate(18 %d) rotate(-90)" text-anchor="middle">%s</text>`+"\n", top+(height-top-bottom)/2, escaped(c.y.label))
	for i, s := range c.each {
		c.draw(&b, s, hues[i%len(hues)])
	}
	b.WriteString("</svg>\n")
	return b.String()
}

func (c chart) draw(b *strings.Builder, s series, hue string) {
	style := "line"
	if s.dashed {
		style += " dashed"
	}
	var path strings.Builder
	var end [2]float64
	for _, p := range s.line {
		if p[1] < c.y.from || p[1] > c.y.to*1.0001 {
			continue
		}
		move := "L"
		if path.Len() == 0 {
			move = "M"
		}
		x, y := c.place(p)
		fmt.Fprintf(&path, "%s%.1f %.1f", move, x, y)
		end = p
	}
	fmt.Fprintf(b, `<path class="%s" stroke="%s" d="%s"/>`+"\n", style, hue, path.String())
	for _, p := range s.points {
		x, y := c.place(p)
		fmt.Fprintf(b, `<circle class="hole" stroke="%s" stroke-width="2" cx="%.1f" cy="%.1f" r="4.5"/>`+"\n", hue, x, y)
	}
	x, y := c.place(end)
	shift := 4.0
	if s.below {
		shift = 17
	}
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f" style="fill:%s" font-weight="600">%s</text>`+"\n", x+10, y+shift, hue, escaped(s.name))
}
