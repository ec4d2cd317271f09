package main

import (
	"image/color"
	"math"
)

// The map of tiles shows this square of the complex plane.
const (
	mapLeft, mapTop = -2.25, 1.5
	mapSide         = 3.0
	tileSide        = 256 // pixels
)

// iterations is how many steps a point gets before it counts as one of the set. Deeper levels show finer
// filaments, and need more.
func iterations(z int) int { return 256 + 48*z }

// side is how much of the plane a tile shows.
func (t tile) side() float64 { return mapSide / math.Exp2(float64(t.z)) }

// point is the middle of a pixel of a tile.
func (t tile) point(px, py int) (re, im float64) {
	re = mapLeft + float64(t.side()*(float64(t.x)+(float64(px)+.5)/tileSide))
	im = mapTop - float64(t.side()*(float64(t.y)+(float64(py)+.5)/tileSide))
	return re, im
}

// shade is a step count's index in the palette: 0 is the set, and the rest repeats by the square root, as
// counts grow fast towards the edge.
func shade(n, limit int) uint8 {
	if n == limit {
		return 0
	}
	return shades[n]
}

var shades = func() []uint8 {
	s := make([]uint8, iterations(maxZoom))
	for n := range s {
		s[n] = uint8(1 + int(math.Sqrt(float64(n))*24)%255)
	}
	return s
}()

// palette goes from deep blue through gold to white and back.
var palette = func() color.Palette {
	p := make(color.Palette, 256)
	p[0] = color.NRGBA{8, 8, 16, 255}
	wave := func(i int, phase float64) uint8 {
		return uint8(127.5 - 127.5*math.Cos(2*math.Pi*(float64(i)/255+phase)))
	}
	for i := 1; i < len(p); i++ {
		p[i] = color.NRGBA{wave(i, 0), wave(i, .08), wave(i, .22), 255}
	}
	return p
}()

// stats samples every fourth pixel each way: mean steps, and the share of points in the set.
func (t tile) stats() (mean, share float64) {
	var g grid
	g.lay(t, 4)
	g.count(0, 0, g.side)
	var sum, inside int
	for _, n := range g.steps {
		sum += int(n)
		if int(n) == g.limit {
			inside++
		}
	}
	points := float64(len(g.steps))
	return float64(sum) / points, float64(inside) / points
}
