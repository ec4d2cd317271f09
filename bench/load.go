package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"
)

// connections are those over which servers are asked: many small clients, as behind a load balancer.
const connections = 64

// visit is what visitors saw.
type visit struct {
	wall  time.Duration   // of each answer
	took  []time.Duration // by each, the fastest first
	bytes float64         // on the wire, of each answer
}

// within is how long the fastest share of all answers took at most.
func (v visit) within(share float64) time.Duration { return within(v.took, share) }

// visitors ask a server n times over so many connections, each time when the last answer of their connection has come. It takes next to nothing of the
// processors: what is compared is what the server takes.
func visitors(addr string, connections, n int, request func(i int) []byte) (v visit, err error) {
	var mu sync.Mutex
	var all sync.WaitGroup
	received := 0
	start := time.Now()
	for c := range connections {
		all.Go(func() {
			mine, bytes, failed := visitor(addr, c, connections, n, request)
			mu.Lock()
			defer mu.Unlock()
			v.took, received, err = append(v.took, mine...), received+bytes, errors.Join(err, failed)
		})
	}
	all.Wait()
	if err != nil {
		return v, err
	}
	v.wall, v.bytes = time.Since(start)/time.Duration(len(v.took)), float64(received)/float64(len(v.took))
	slices.Sort(v.took)
	return v, nil
}

// visitor is one of them: of every so many requests it has the c-th.
func visitor(addr string, c, connections, n int, request func(i int) []byte) (took []time.Duration, received int, err error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, 0, err
	}
	defer conn.Close()
	r := bufio.NewReaderSize(conn, 32<<10)
	for i := c; i < n; i += connections {
		start := time.Now()
		if _, err := conn.Write(request(i)); err != nil {
			return nil, 0, err
		}
		size, err := readResponse(r)
		if err != nil {
			return nil, 0, fmt.Errorf("%s: %w", addr, err)
		}
		took, received = append(took, time.Since(start)), received+size
	}
	return took, received, nil
}

// readResponse reads one with a Content-Length, which must be a 200, and returns its size on the wire.
func readResponse(r *bufio.Reader) (size int, err error) {
	length := -1
	for first := true; ; first = false {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		size += len(line)
		line = bytes.TrimRight(line, "\r\n")
		if first && !bytes.HasPrefix(line, []byte("HTTP/1.1 200")) {
			return 0, fmt.Errorf("answered %q", line)
		}
		if len(line) == 0 {
			break
		}
		if name, value, _ := bytes.Cut(line, []byte(":")); bytes.EqualFold(name, []byte("Content-Length")) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return 0, err
			}
		}
	}
	if length < 0 {
		return 0, errors.New("an answer without Content-Length")
	}
	n, err := r.Discard(length)
	if err == nil && n != length {
		err = io.ErrUnexpectedEOF
	}
	return size + n, err
}

// get is a GET as browsers' proxies send it: short.
func get(path string) []byte {
	return []byte("GET " + path + " HTTP/1.1\r\nHost: bench\r\nUser-Agent: bench\r\n\r\n")
}

// always asks for the same.
func always(path string) func(int) []byte {
	request := get(path)
	return func(int) []byte { return request }
}
