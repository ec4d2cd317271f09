package cache

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

const (
	// leastCompressed is the shortest body, in bytes, that is compressed. A shorter one fits in one packet with its header as it
	// is, so that nobody would have it earlier.
	leastCompressed = 1 << 10
	// mostOfBody is the largest share of a body that a copy in a coding is worth its memory for.
	mostOfBody = .9
)

// coding is a content coding (RFC 9110, section 8.4.1) in which copies of bodies are kept.
type coding struct {
	place    int // in codings
	name     string
	line     []string   // Content-Encoding
	encoders *sync.Pool // of encoder: each weighs up to a megabyte, and there are as many as loads that use one at once
}

type encoder interface {
	io.WriteCloser
	Reset(io.Writer)
}

// codings are all that HTTP.Encodings may name, at the levels that their libraries call default: the best ones cost three to
// nine times as much, for one or two hundredths of the body.
var codings = [...]*coding{
	{0, "zstd", []string{"zstd"}, &sync.Pool{New: func() any {
		// Without concurrency it is plain code. A client needs as much memory as the window is large (RFC 9659: 8 MiB at most).
		e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true), zstd.WithEncoderCRC(false))
		if err != nil {
			panic(err) // such options there are
		}
		return e
	}}},
	{1, "gzip", []string{"gzip"}, &sync.Pool{New: func() any { return gzip.NewWriter(nil) }}},
}

// codingOf is the coding of this name, or nil.
func codingOf(name string) *coding {
	if i := slices.IndexFunc(codings[:], func(c *coding) bool { return c.name == name }); i >= 0 {
		return codings[i]
	}
	return nil
}

// compress returns body in the coding.
func (c *coding) compress(body []byte) []byte {
	e := c.encoders.Get().(encoder)
	defer c.encoders.Put(e)
	var b bytes.Buffer
	e.Reset(&b)
	_, err := e.Write(body)
	if err = errors.Join(err, e.Close()); err != nil {
		panic(err) // a Buffer takes all
	}
	made := bytes.Clone(b.Bytes()) // it may be twice as large
	b = bytes.Buffer{}             // which the encoder remembers
	return made
}

// compressed are copies of p's body in codings, those of names in their order that are worth it.
func (p *response) compressed(names []string) (first *coded) {
	for _, name := range slices.Backward(names) {
		c := codingOf(name)
		if b := c.compress(p.body); float64(len(b)) <= mostOfBody*float64(len(p.body)) {
			d := newCoded(c, b, p.header("Etag"))
			d.next, first = first, d
		}
	}
	return first
}

// compressible tells whether copies of p's body in codings may be made, and are likely to be smaller. Nothing is compressed
// twice, nor against the handler's word, nor where a field is about these very bytes.
func (p *response) compressible() bool {
	kind, etag := p.header("Content-Type"), p.header("Etag")
	if p.status != http.StatusOK || len(p.body) < leastCompressed || len(kind) != 1 || !compressibleType(kind[0]) || len(etag) > 1 || len(etag) == 1 && !isETag(etag[0]) {
		return false
	}
	for _, name := range []string{"Content-Encoding", "Content-Digest", "Content-Md5", "Digest", "Repr-Digest", "Signature"} {
		if p.header(name) != nil {
			return false
		}
	}
	return !directivesIn(p.header("Cache-Control")).has("no-transform") // RFC 9111, section 5.2.2.6
}

// compressibleType tells whether a media type is text, or else not compressed itself.
func compressibleType(kind string) bool {
	kind, _, _ = strings.Cut(kind, ";")
	switch kind = strings.ToLower(strings.TrimSpace(kind)); kind {
	case "application/javascript", "application/json", "application/wasm", "application/x-javascript", "application/x-ndjson",
		"application/xml", "application/yaml", "font/otf", "font/ttf", "image/bmp", "image/vnd.microsoft.icon", "image/x-icon":
		return true
	}
	return strings.HasPrefix(kind, "text/") || strings.HasSuffix(kind, "+json") || strings.HasSuffix(kind, "+xml") || strings.HasSuffix(kind, "+yaml")
}
