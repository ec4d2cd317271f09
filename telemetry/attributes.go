package telemetry

import (
	"net"
	"net/http"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// appendServerAttributes appends what otelhttp says on a server span of a GET or HEAD without a body, by
// OpenTelemetry's conventions for HTTP spans.
func appendServerAttributes(attrs []attribute.KeyValue, r *http.Request, route string, status int, bytes int64) []attribute.KeyValue {
	host, port := splitHostPort(r.Host)
	attrs = append(attrs,
		semconv.ServerAddress(host),
		semconv.HTTPRequestMethodKey.String(r.Method),
		semconv.HTTPRoute(route),
		semconv.HTTPResponseStatusCode(status),
		semconv.URLPath(r.URL.Path),
	)
	scheme, standard := "http", 80
	if r.TLS != nil {
		scheme, standard = "https", 443
	}
	attrs = append(attrs, semconv.URLScheme(scheme))
	if port > 0 && port != standard {
		attrs = append(attrs, semconv.ServerPort(port))
	}
	client, _, _ := strings.Cut(r.Header.Get("X-Forwarded-For"), ",")
	if peer, port := splitHostPort(r.RemoteAddr); peer != "" {
		attrs = append(attrs, semconv.NetworkPeerAddress(peer))
		if port > 0 {
			attrs = append(attrs, semconv.NetworkPeerPort(port))
		}
		if client == "" {
			client = peer
		}
	}
	if client != "" {
		attrs = append(attrs, semconv.ClientAddress(client))
	}
	if agent := r.UserAgent(); agent != "" {
		attrs = append(attrs, semconv.UserAgentOriginal(agent))
	}
	if _, version, ok := strings.Cut(r.Proto, "/"); ok {
		attrs = append(attrs, semconv.NetworkProtocolVersion(version))
	}
	if bytes > 0 {
		attrs = append(attrs, semconv.HTTPResponseBodySize(int(bytes)))
	}
	return attrs
}

// splitHostPort takes a host, in brackets if need be, with or without a port. What is missing or malformed is
// empty, or 0.
func splitHostPort(hostport string) (host string, port int) {
	if bracket := strings.LastIndexByte(hostport, ']'); hostport != "" && hostport[0] == '[' {
		if bracket == len(hostport)-1 {
			return hostport[1:bracket], 0
		}
	} else if strings.IndexByte(hostport, ':') < 0 {
		return hostport, 0
	}
	host, digits, err := net.SplitHostPort(hostport)
	if err != nil {
		return "", 0
	}
	n, err := strconv.ParseUint(digits, 10, 16)
	if err != nil {
		return host, 0
	}
	return host, int(n)
}
