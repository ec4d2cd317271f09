package main

import "math"

// step is z → z² + c. Each product is rounded by itself: were it fused with the sum, as some processors can, replicas
// of two architectures would draw different pixels.
func step(x, y, re, im float64) (float64, float64) {
	return float64(x*x) - float64(y*y) + re, float64(2*x*y) + im
}

// outside tells whether z has left the circle of radius 2.
func outside(x, y float64) bool { return float64(x*x)+float64(y*y) > 4 }

// inside tells whether c is in the main cardioid or in the period-2 bulb, as most points of the set are: both have
// closed forms.
func inside(re, im float64) bool {
	q := (re-.25)*(re-.25) + im*im
	return q*(q+re-.25) <= im*im/4 || (re+1)*(re+1)+im*im <= 1./16
}

// escape tells after how many steps z → z² + c leaves the circle, or limit if it does not.
func escape(re, im float64, limit int) int {
	if inside(re, im) {
		return limit
	}
	return follow(0, 0, re, im, 0, limit)
}

// follow is escape from z = x + iy on, which n steps have led to.
func follow(x, y, re, im float64, n, limit int) int {
	for n < limit && !outside(x, y) {
		x, y = step(x, y, re, im)
		n++
	}
	return n
}

// escape4 is escape for four points of a row, of which none leaves the circle in the first sure steps. A step has to
// wait for the one before it; with several points in turn there is something to do meanwhile.
func escape4(re *[4]float64, im float64, sure, limit int) (n [4]int) {
	re0, re1, re2, re3 := re[0], re[1], re[2], re[3]
	if inside(re0, im) || inside(re1, im) || inside(re2, im) || inside(re3, im) {
		return [4]int{escape(re0, im, limit), escape(re1, im, limit), escape(re2, im, limit), escape(re3, im, limit)}
	}
	var x0, y0, x1, y1, x2, y2, x3, y3 float64
	for range sure {
		x0, y0 = step(x0, y0, re0, im)
		x1, y1 = step(x1, y1, re1, im)
		x2, y2 = step(x2, y2, re2, im)
		x3, y3 = step(x3, y3, re3, im)
	}
	n[0], n[1] = follow2(x0, y0, re0, x1, y1, re1, im, sure, limit)
	n[2], n[3] = follow2(x2, y2, re2, x3, y3, re3, im, sure, limit)
	return n
}

func follow2(x0, y0, re0, x1, y1, re1, im float64, n, limit int) (n0, n1 int) {
	for n < limit && !outside(x0, y0) && !outside(x1, y1) {
		x0, y0 = step(x0, y0, re0, im)
		x1, y1 = step(x1, y1, re1, im)
		n++
	}
	return follow(x0, y0, re0, im, n, limit), follow(x1, y1, re1, im, n, limit)
}

// disk takes steps for all c within radius of re + i·im at once: each's z is within spread of the middle's. None
// leaves the circle in the first n steps; if they are alike, n is what escape says of each.
func disk(re, im, radius float64, limit int) (n int, alike bool) {
	radius += roundings
	var x, y, spread float64
	for ; n < limit; n++ {
		abs := math.Sqrt(x*x + y*y)
		if abs+spread > 2 {
			return n, abs-spread > 2
		}
		// |(z+d)² + (c+e) − (z²+c)| ≤ |d| (2|z| + |d|) + |e|
		spread = spread*(2*abs+spread) + radius
		x, y = step(x, y, re, im)
	}
	return n, true
}

// roundings is a hundred times what the roundings of a step come to, in which no number is above 8, and a twentieth of
// the smallest pixel: with it disk holds for what floating-point numbers make of each c.
const roundings = 0x1p-40
