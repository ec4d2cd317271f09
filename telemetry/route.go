package telemetry

import (
	"net/http"
	"strings"
)

// routeOf is the path of the ServeMux pattern that matched: "GET /tiles/{z}" without its method. Empty
// means no route. Where ServeMux redirects a CONNECT, it says the path in place of a pattern.
func routeOf(r *http.Request) string {
	if r.Method == http.MethodConnect && !strings.HasPrefix(r.Pattern, http.MethodConnect) {
		return ""
	}
	return pathOf(r.Pattern)
}

// pathOf is the path of a ServeMux pattern.
func pathOf(pattern string) string {
	if i := strings.IndexByte(pattern, '/'); i > 0 {
		return pattern[i:]
	}
	return pattern
}

// spanName is what OpenTelemetry's HTTP conventions call a server span.
func spanName(method, route string) string {
	if method = methodOf(method); method == "_OTHER" {
		method = "HTTP"
	}
	return method + " " + route
}

// methodOf bounds the label: OpenTelemetry's name for methods that HTTP does not define is _OTHER.
func methodOf(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return method
	}
	return "_OTHER"
}
