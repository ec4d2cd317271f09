package main

import (
	"net"
	"net/netip"
	"strings"
	"testing"
)

func TestAddress(t *testing.T) {
	for hostport, want := range map[string]string{
		"[::]:8080":           "http://localhost:8080/",
		"0.0.0.0:8080":        "http://localhost:8080/",
		":8080":               "http://localhost:8080/",
		"127.0.0.1:80":        "http://127.0.0.1:80/",
		"[::1]:8080":          "http://[::1]:8080/",
		"192.0.2.7:8080":      "http://192.0.2.7:8080/",
		"[fe80::1%eth0]:8080": "http://[fe80::1%25eth0]:8080/",
		"vitrine.test:8081":   "http://vitrine.test:8081/",
	} {
		if got := address(hostport, "localhost", "/"); got != want {
			t.Errorf("%s became %s, want %s", hostport, got, want)
		}
	}
}

func TestBanner(t *testing.T) {
	at := func(s string) net.Addr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(s)) }
	plain := banner(at("[::]:8080"), at("127.0.0.1:8081"), false)
	const want = `
  page      http://localhost:8080/
  caches    http://127.0.0.1:8081/debug/cache
  traces    http://127.0.0.1:8081/debug/tracez
  metrics   http://127.0.0.1:8081/metrics

`
	if !strings.HasPrefix(plain, "\n  Vitrine ") || !strings.HasSuffix(plain, want) {
		t.Errorf("%s\nwant it to end with\n%s", plain, want)
	}
	coloured := banner(at("[::]:8080"), at("127.0.0.1:8081"), true)
	if !strings.Contains(coloured, "\x1b[") {
		t.Errorf("no colour in %q", coloured)
	}
	for _, escape := range []string{"\x1b[1m", "\x1b[2m", "\x1b[0m"} {
		coloured = strings.ReplaceAll(coloured, escape, "")
	}
	if coloured != plain {
		t.Errorf("colour changes the words:\n%s\n%s", coloured, plain)
	}
}
