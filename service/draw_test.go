package main

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/png"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// tileAround is the tile of level z that shows a point.
func tileAround(z int, re, im float64) tile {
	side := tile{z: z}.side()
	return tile{z, int((re - mapLeft) / side), int((mapTop - im) / side)}
}

// textbook is escape as it is written everywhere.
func textbook(re, im float64, limit int) int {
	var x, y float64
	for n := range limit {
		if float64(x*x)+float64(y*y) > 4 {
			return n
		}
		x, y = float64(x*x)-float64(y*y)+re, float64(2*x*y)+im
	}
	return limit
}

// first is escape as the program had it first.
func first(re, im float64, limit int) int {
	q := (re-.25)*(re-.25) + im*im
	if q*(q+re-.25) <= im*im/4 || (re+1)*(re+1)+im*im <= 1./16 {
		return limit
	}
	return textbook(re, im, limit)
}

// firstShade is shade as the program had it first.
func firstShade(n, limit int) uint8 {
	if n == limit {
		return 0
	}
	return uint8(1 + int(math.Sqrt(float64(n))*24)%255)
}

// firstPalette has the colours of palette as the program had them first.
var firstPalette = func() color.Palette {
	p := make(color.Palette, len(palette))
	for i, c := range palette {
		p[i] = color.RGBAModel.Convert(c)
	}
	return p
}()

// firstImage is a tile as the program drew it first: each point by itself.
func firstImage(t tile) *image.Paletted {
	limit := iterations(t.z)
	img := image.NewPaletted(image.Rect(0, 0, tileSide, tileSide), firstPalette)
	for py := range tileSide {
		for px := range tileSide {
			re, im := t.point(px, py)
			img.Pix[py*img.Stride+px] = firstShade(first(re, im, limit), limit)
		}
	}
	return img
}

// firstStats are stats as the program had them first.
func firstStats(t tile) (mean, share float64) {
	const stride = 4
	limit := iterations(t.z)
	var sum, inside, points int
	for py := 0; py < tileSide; py += stride {
		for px := 0; px < tileSide; px += stride {
			re, im := t.point(px, py)
			n := first(re, im, limit)
			sum += n
			points++
			if n == limit {
				inside++
			}
		}
	}
	return float64(sum) / float64(points), float64(inside) / float64(points)
}

// known are tiles of every kind.
var known = []struct {
	desc string
	tile tile
}{
	{"z=0", tile{}},
	{"seahorses z=3", tileAround(3, -.75, .1)},
	{"needle z=8", tileAround(8, -1.75, 0)},
	{"seahorses z=12", tileAround(12, -.743643887, .131825904)},
	{"inside z=12", tileAround(12, -.1226, .7449)},
	{"outside z=3", tile{3, 0, 0}},
	{"elephants z=16", tileAround(16, .2501, .00002)},
	{"seahorses z=24", tileAround(24, -.743643887037151, .131825904205330)},
}

// borders are points near which no square is like another for long, and the tips where they are nearest to what
// arithmetic can tell apart.
var borders = []complex128{
	-2, -1.401155189, -1.25, -.75, .25, 1i, -1i, -.1011 + .9563i, -.743643887037151 + .131825904205330i,
	-.16 + 1.0405i, .3 + .02i, -1.75, -.5 + .55i, .25 + .5i, -1.25 - .02i, -1.7548776662466927, -.122561 + .744862i,
}

// TestTilesAreDrawnAsEver: each pixel is that of the loop that everybody knows.
func TestTilesAreDrawnAsEver(t *testing.T) {
	t.Parallel()
	var tiles []tile
	for _, k := range known {
		tiles = append(tiles, k.tile)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for z := range maxZoom + 1 {
		for range 2 {
			c, side := borders[rng.IntN(len(borders))], tile{z: z}.side()
			tiles = append(tiles, tileAround(z, real(c)+side*(rng.Float64()-.5), imag(c)+side*(rng.Float64()-.5)))
		}
	}
	s := newStudio(runtime.GOMAXPROCS(0))
	var all sync.WaitGroup
	for _, tile := range tiles {
		all.Go(func() {
			file, err := s.draw(t.Context(), tile)
			if err != nil {
				t.Errorf("%v: %v", tile, err)
				return
			}
			img, err := png.Decode(bytes.NewReader(file))
			if err != nil || img.Bounds() != image.Rect(0, 0, tileSide, tileSide) {
				t.Errorf("%v: %v", tile, err)
				return
			}
			limit := iterations(tile.z)
			// All of them, of all tiles, would take minutes.
			every := 1 + 6*min(1, tile.z/6)
			for py := tile.x % every; py < tileSide; py += every {
				for px := range tileSide {
					re, im := tile.point(px, py)
					want := palette[firstShade(textbook(re, im, limit), limit)]
					if got := color.NRGBAModel.Convert(img.At(px, py)); got != want {
						t.Errorf("%v: pixel %d/%d is %v, want %v", tile, px, py, got, want)
						return
					}
				}
			}
		})
	}
	all.Wait()
}

// TestDrawingEnds with its context, wherever it is.
func TestDrawingEnds(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	const processors = 4
	var mu sync.Mutex
	begun := 0
	err := make(crew, processors).each(ctx, 1000, func(int) {
		mu.Lock()
		defer mu.Unlock()
		if begun++; begun == 10 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || begun < 10 || begun > 10+processors {
		t.Errorf("%v after %d pieces of work, want the tenth to end it", err, begun)
	}

	s := newStudio(1)
	costly := known[len(known)-1].tile
	for range 20 { // it may find that out before it has a canvas, and afterwards
		if _, err := s.draw(ctx, costly); !errors.Is(err, context.Canceled) {
			t.Errorf("%v, want no tile of who has left", err)
		}
	}
	taken := <-s.canvases
	if _, err := s.draw(ctx, costly); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want nobody to wait for a canvas who has left", err)
	}
	s.canvases <- taken

	w := httptest.NewRecorder()
	timedOut, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	r := httptest.NewRequestWithContext(timedOut, http.MethodGet, "/tiles/"+costly.String(), nil)
	for name, n := range map[string]int{"z": costly.z, "x": costly.x, "y": costly.y} {
		r.SetPathValue(name, strconv.Itoa(n))
	}
	tileImage().ServeHTTP(w, r)
	if w.Code != http.StatusServiceUnavailable {
		t.Errorf("status %d, want 503", w.Code)
	}
}

// TestCrew: all work is done once, by as many goroutines as there are places.
func TestCrew(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ callers, places, most int }{{1, 1, 1}, {1, 3, 3}, {2, 1, 1}, {2, 3, 3}, {3, 2, 2}} {
		synctest.Test(t, func(t *testing.T) {
			c := make(crew, test.places)
			var mu sync.Mutex
			var at, most int
			var all sync.WaitGroup
			for range test.callers {
				all.Go(func() {
					done := make([]int, 20)
					err := c.each(t.Context(), len(done), func(i int) {
						mu.Lock()
						at++
						most = max(most, at)
						done[i]++
						mu.Unlock()
						time.Sleep(turn)
						mu.Lock()
						at--
						mu.Unlock()
					})
					for i, times := range done {
						if err != nil || times != 1 {
							t.Errorf("%v, work %d was done %d times", err, i, times)
						}
					}
				})
			}
			all.Wait()
			if most != test.most || len(c) != 0 {
				t.Errorf("%+v: %d worked at once, and %d still do", test, most, len(c))
			}
		})
	}
}

// TestOneTurnIsDoneAlone: to wake a processor costs more than it would help.
func TestOneTurnIsDoneAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := make(crew, 4)
		err := c.each(t.Context(), 9, func(int) {
			time.Sleep(turn / 10)
			if len(c) > 1 {
				t.Error("another helps")
			}
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// TestTileAllocates holds what a tile leaves to the garbage collector: a copy of its file, and little else.
func TestTileAllocates(t *testing.T) {
	s := newStudio(1)
	for _, tile := range []tile{{}, tileAround(12, -.743643887, .131825904), {3, 0, 0}} {
		size := 0
		draw := func() {
			file, err := s.draw(t.Context(), tile)
			if err != nil {
				t.Fatal(err)
			}
			size = len(file)
		}
		draw()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		const runs = 5
		times := testing.AllocsPerRun(runs, draw)
		runtime.ReadMemStats(&after)
		bytes := int(after.TotalAlloc-before.TotalAlloc) / (runs + 1) // one is to warm up
		t.Logf("%v: %v times, %d bytes for a file of %d", tile, times, bytes, size)
		if times > 10 || bytes > size*5/4+1024 {
			t.Errorf("%v allocates %v times and %d bytes, want at most 10 times and little more than its file of %d", tile, times, bytes, size)
		}
	}
}

// TestPlainTilesAreEncodedOnce, whatever made them so.
func TestPlainTilesAreEncodedOnce(t *testing.T) {
	t.Parallel()
	s := newStudio(1)
	draw := func(tile tile) []byte {
		file, err := s.draw(t.Context(), tile)
		if err != nil {
			t.Fatal(err)
		}
		return file
	}
	inside, outside := tileAround(12, -.1226, .7449), tile{3, 0, 0}
	one, other := draw(inside), draw(tile{inside.z, inside.x + 1, inside.y})
	if &one[0] != &other[0] {
		t.Error("two tiles inside the set are two files")
	}
	if corner := draw(outside); bytes.Equal(corner, one) || len(corner) > 128 {
		t.Errorf("the map's corner has %d bytes, and inside the set there are %d; want 128 at most, and two colours", len(corner), len(one))
	}
}

// TestStatsAreAsEver: each sample is that of the loop that everybody knows.
func TestStatsAreAsEver(t *testing.T) {
	t.Parallel()
	for _, k := range known {
		mean, share := k.tile.stats()
		if wantMean, wantShare := firstStats(k.tile); mean != wantMean || share != wantShare {
			t.Errorf("%s: %v %v, want %v %v", k.desc, mean, share, wantMean, wantShare)
		}
	}
}
