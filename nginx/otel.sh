#!/bin/sh
# Lets a trace begin at the load balancer, where nginx carries the tracing module
# and accepts it. Tracing never keeps the door shut: without it nginx serves as before
# and passes the caller's trace context through.
set -eu

module=/usr/lib/nginx/modules/ngx_otel_module.so
dir=/tmp/otel
mkdir -p "$dir"
rm -f "$dir"/*

if [ ! -f "$module" ]; then
    echo "otel.sh: no tracing module here, traces begin at the service"
    exit 0
fi

echo "load_module $module;" >"$dir/trace.main"
cat >"$dir/trace.http" <<'CONF'
otel_exporter {
    endpoint jaeger:4317;
    interval 1s;
}
otel_service_name nginx;
map $uri $otel_enabled {
    /nginx-health off;
    default       on;
}
otel_trace $otel_enabled;
otel_trace_context propagate;
CONF

if reason=$(nginx -t 2>&1); then
    echo "otel.sh: traces begin at nginx"
else
    rm -f "$dir"/*
    echo "otel.sh: nginx does not accept its tracing module, traces begin at the service:" $reason
fi
