package main

import (
	"bytes"
	"image/png"
	"testing"
)

// BenchmarkTile draws tiles as the program did first, and as it does now on one processor.
func BenchmarkTile(b *testing.B) {
	s := newStudio(1)
	for _, version := range []struct {
		name string
		draw func(b *testing.B, t tile) []byte
	}{
		{"first", func(b *testing.B, t tile) []byte {
			var file bytes.Buffer
			if err := png.Encode(&file, firstImage(t)); err != nil {
				b.Fatal(err)
			}
			return file.Bytes()
		}},
		{"now", func(b *testing.B, t tile) []byte {
			file, err := s.draw(b.Context(), t)
			if err != nil {
				b.Fatal(err)
			}
			return file
		}},
	} {
		b.Run(version.name, func(b *testing.B) {
			for _, k := range known {
				b.Run(k.desc, func(b *testing.B) {
					var size int
					b.ReportAllocs()
					for b.Loop() {
						size = len(version.draw(b, k.tile))
					}
					b.ReportMetric(float64(size), "png-B")
				})
			}
		})
	}
}

// BenchmarkStats samples tiles as the program did first, and as it does now.
func BenchmarkStats(b *testing.B) {
	for _, version := range []struct {
		name  string
		stats func(tile) (mean, share float64)
	}{{"first", firstStats}, {"now", tile.stats}} {
		b.Run(version.name, func(b *testing.B) {
			for _, k := range known {
				b.Run(k.desc, func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						version.stats(k.tile)
					}
				})
			}
		})
	}
}
