package main

import (
	"bytes"
	"context"
	"image"
	"image/png"
	"slices"
	"sync/atomic"
)

// studio draws tiles.
type studio struct {
	canvases chan *canvas // nil: made when it is first taken
	crew     crew
	plain    [256]atomic.Pointer[[]byte] // files of one colour, by its index in palette
}

// newStudio has a canvas less than there are processors, if it can: one of them is never taken for longer than a turn,
// so that hits need not wait for tiles, and who has a canvas finds a place in the crew by then.
func newStudio(processors int) *studio {
	s := &studio{canvases: make(chan *canvas, max(1, processors-1)), crew: make(crew, processors)}
	for range cap(s.canvases) {
		s.canvases <- nil
	}
	return s
}

// draw makes a PNG of a tile, which nobody may change. It gives up when ctx ends.
func (s *studio) draw(ctx context.Context, t tile) ([]byte, error) {
	var c *canvas
	select {
	case c = <-s.canvases:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if c == nil {
		c = newCanvas()
	}
	defer func() { s.canvases <- c }()
	c.lay(t, 1)
	if err := c.countAll(ctx, s.crew); err != nil {
		return nil, err
	}
	c.colour()
	if len(c.image.Palette) > 1 {
		return c.encode()
	}
	kept := &s.plain[shade(int(c.steps[0]), c.limit)]
	if file := kept.Load(); file != nil {
		return *file, nil
	}
	file, err := c.encode()
	if err == nil {
		kept.Store(&file)
	}
	return file, err
}

// canvas is what a tile is drawn on. It is used again, as the compressor's memory is most of what a tile takes.
type canvas struct {
	grid
	image  image.Paletted
	buffer *png.EncoderBuffer
	file   bytes.Buffer
}

func newCanvas() *canvas {
	return &canvas{image: image.Paletted{
		Pix: make([]uint8, tileSide*tileSide), Stride: tileSide, Rect: image.Rect(0, 0, tileSide, tileSide),
	}}
}

// colour makes the image of the grid. Its palette has the colours that it needs.
func (c *canvas) colour() {
	var index [256]uint8
	var known [256]bool
	c.image.Palette = c.image.Palette[:0]
	for i, n := range c.steps {
		s := shade(int(n), c.limit)
		if !known[s] {
			known[s], index[s] = true, uint8(len(c.image.Palette))
			c.image.Palette = append(c.image.Palette, palette[s])
		}
		c.image.Pix[i] = index[s]
	}
}

func (c *canvas) encode() ([]byte, error) {
	c.file.Reset()
	err := (&png.Encoder{BufferPool: c}).Encode(&c.file, &c.image)
	return slices.Clone(c.file.Bytes()), err
}

// Get and Put make it a png.EncoderBufferPool.
func (c *canvas) Get() *png.EncoderBuffer  { return c.buffer }
func (c *canvas) Put(b *png.EncoderBuffer) { c.buffer = b }
