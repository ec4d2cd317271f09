package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
)

// BenchmarkConnectionMemory reports by how much the process grows for each connection that waits for its second
// request.
func BenchmarkConnectionMemory(b *testing.B) {
	const connections = 4096
	server := startHitServer(b)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: hitConnections}}
	defer client.CloseIdleConnections()
	server.ask(b, client, 100) // so that it has grown as far as work alone makes it
	before := server.resident(b)
	for b.Loop() {
		for range connections {
			conn, err := net.Dial("tcp", server.addr)
			if err != nil {
				b.Fatal(err)
			}
			defer conn.Close()
			if _, err := io.WriteString(conn, "GET /slow HTTP/1.1\r\nHost: bench\r\nUser-Agent: bench\r\n\r\n"); err != nil {
				b.Fatal(err)
			}
			if res, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil || res.StatusCode != http.StatusOK {
				b.Fatal(res, err)
			}
		}
	}
	b.ReportMetric(float64(server.resident(b)-before)/connections/float64(b.N)/1024, "KiB/connection")
}

// resident is the process' memory, in bytes.
func (s hitServer) resident(b *testing.B) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.pid))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		b.Fatal(err)
	}
	return kib << 10
}
