package main

import (
	"context"
	"math"
)

// grid has the steps of points of a tile, row by row.
type grid struct {
	side   int // points in a row, and rows
	limit  int
	gap    float64 // between two points of a row
	re, im []float64
	steps  []uint16
}

// lay makes it a grid of each stride-th pixel of a tile.
func (g *grid) lay(t tile, stride int) {
	g.side, g.limit, g.gap = tileSide/stride, iterations(t.z), t.side()/tileSide*float64(stride)
	if len(g.steps) != g.side*g.side {
		g.re, g.im, g.steps = make([]float64, g.side), make([]float64, g.side), make([]uint16, g.side*g.side)
	}
	for i := range g.side {
		g.re[i], g.im[i] = t.point(i*stride, i*stride)
	}
}

// Squares that are not alike are divided down to these, and then taken point by point: what is inside by its closed
// forms costs least, and what takes more than half of the steps most.
const (
	insideSquare = 16
	square       = 8
	costlySquare = 4
)

// sharedSquare is what the points of a tile are shared out in, to processors.
const sharedSquare = 32

// countAll counts the steps of all points, with whatever processors are idle. It gives up when ctx ends.
func (g *grid) countAll(ctx context.Context, c crew) error {
	if n, alike := g.disk(0, 0, g.side); alike {
		g.fill(0, 0, g.side, n)
		return nil
	}
	across := g.side / sharedSquare
	return c.each(ctx, across*across, func(i int) {
		g.count(i%across*sharedSquare, i/across*sharedSquare, sharedSquare)
	})
}

// count counts the steps of a square of points. Where the set's border is not near, they are often alike.
func (g *grid) count(px, py, side int) {
	if side <= insideSquare && inside(g.middle(px, py, side)) {
		g.each(px, py, side, 0)
		return
	}
	n, alike := g.disk(px, py, side)
	switch half := side / 2; {
	case alike:
		g.fill(px, py, side, n)
	case side > square, side > costlySquare && n > g.limit/2:
		g.count(px, py, half)
		g.count(px+half, py, half)
		g.count(px, py+half, half)
		g.count(px+half, py+half, half)
	default:
		g.each(px, py, side, n)
	}
}

func (g *grid) middle(px, py, side int) (re, im float64) {
	half := side / 2
	return (g.re[px+half-1] + g.re[px+half]) / 2, (g.im[py+half-1] + g.im[py+half]) / 2
}

// disk is disk around a square.
func (g *grid) disk(px, py, side int) (n int, alike bool) {
	re, im := g.middle(px, py, side)
	return disk(re, im, g.gap*float64(side)*math.Sqrt2/2, g.limit)
}

func (g *grid) fill(px, py, side, n int) {
	for y := py; y < py+side; y++ {
		row := g.steps[y*g.side+px:][:side]
		for i := range row {
			row[i] = uint16(n)
		}
	}
}

// each counts the steps of each point of a square by itself. All take more than sure steps, or are inside.
func (g *grid) each(px, py, side, sure int) {
	for y := py; y < py+side; y++ {
		row := g.steps[y*g.side:][:g.side]
		for x := px; x < px+side; x += 4 {
			for i, n := range escape4((*[4]float64)(g.re[x:]), g.im[y], sure, g.limit) {
				row[x+i] = uint16(n)
			}
		}
	}
}
