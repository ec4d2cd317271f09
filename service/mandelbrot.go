package main

import (
	"image"
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

// escape tells after how many steps z → z² + c leaves the circle of radius 2, or limit if it does not.
func escape(re, im float64, limit int) int {
	// Most points of the set are in the main cardioid or in the period-2 bulb; both have closed forms.
	q := (re-.25)*(re-.25) + im*im
	if q*(q+re-.25) <= im*im/4 || (re+1)*(re+1)+im*im <= 1./16 {
		return limit
	}
	var x, y float64
	for n := range limit {
		xx, yy := x*x, y*y
		if xx+yy > 4 {
			return n
		}
		x, y = xx-yy+re, 2*x*y+im
	}
	return limit
}

// point is the middle of a pixel of a tile.
func (t tile) point(px, py int) (re, im float64) {
	side := mapSide / math.Exp2(float64(t.z))
	re = mapLeft + side*(float64(t.x)+(float64(px)+.5)/tileSide)
	im = mapTop - side*(float64(t.y)+(float64(py)+.5)/tileSide)
	return re, im
}

// image draws the tile.
func (t tile) image() *image.Paletted {
	limit := iterations(t.z)
	img := image.NewPaletted(image.Rect(0, 0, tileSide, tileSide), palette)
	for py := range tileSide {
		for px := range tileSide {
			re, im := t.point(px, py)
			img.Pix[py*img.Stride+px] = shade(escape(re, im, limit), limit)
		}
	}
	return img
}

// shade is a step count's index in the palette: 0 is the set, and the rest repeats by the square root, as
// counts grow fast towards the edge.
func shade(n, limit int) uint8 {
	if n == limit {
		return 0
	}
	return uint8(1 + int(math.Sqrt(float64(n))*24)%255)
}

// palette goes from deep blue through gold to white and back.
var palette = func() color.Palette {
	p := make(color.Palette, 256)
	p[0] = color.RGBA{8, 8, 16, 255}
	wave := func(i int, phase float64) uint8 {
		return uint8(127.5 - 127.5*math.Cos(2*math.Pi*(float64(i)/255+phase)))
	}
	for i := 1; i < len(p); i++ {
		p[i] = color.RGBA{wave(i, 0), wave(i, .08), wave(i, .22), 255}
	}
	return p
}()

// stats samples every fourth pixel each way: mean steps, and the share of points in the set.
func (t tile) stats() (mean, share float64) {
	const stride = 4
	limit := iterations(t.z)
	var sum, inside, points int
	for py := 0; py < tileSide; py += stride {
		for px := 0; px < tileSide; px += stride {
			re, im := t.point(px, py)
			n := escape(re, im, limit)
			sum += n
			points++
			if n == limit {
				inside++
			}
		}
	}
	return float64(sum) / float64(points), float64(inside) / float64(points)
}
