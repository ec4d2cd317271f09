#!/bin/sh
# Lets a trace begin at the load balancer, where nginx carries the tracing module and accepts it. Tracing never
# keeps the door shut: without it nginx serves as before, and traces begin at the service.
#
# Either way a client's own trace context ends here, and that of replicas goes on: a stranger would decide what is
# sampled, and in whose trace it is. With VITRINE_TRUST_TRACEPARENT=true a client's goes on too.
set -eu

module=/usr/lib/nginx/modules/ngx_otel_module.so
dir=${OTEL_DIR:-/tmp/otel}
mkdir -p "$dir"
rm -f "$dir"/*
trust=${VITRINE_TRUST_TRACEPARENT:-false}

without() {
    rm -f "$dir"/*
    if [ "$trust" = true ]; then
        : >"$dir/public.server"
    else
        for field in traceparent tracestate baggage; do
            echo "proxy_set_header $field \"\";"
        done >"$dir/public.server"
    fi
}

if [ ! -f "$module" ]; then
    without
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
CONF
echo "otel_trace_context propagate;" >"$dir/inner.server"
if [ "$trust" = true ]; then
    echo "otel_trace_context propagate;" >"$dir/public.server"
else
    printf '%s\n' "otel_trace_context inject;" 'proxy_set_header baggage "";' >"$dir/public.server"
fi

if reason=$(nginx -t 2>&1); then
    echo "otel.sh: traces begin at nginx"
else
    without
    echo "otel.sh: nginx does not accept its tracing module, traces begin at the service:" $reason
fi
