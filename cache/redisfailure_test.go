package cache_test

import (
	"context"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/codes"

	"vitrine/e2e/component"
)

func TestRedisSpansOfANetworkThatFails(t *testing.T) {
	t.Run("refused", func(t *testing.T) {
		const nobody = "127.0.0.1:1"
		client := redisClient(t, nobody)
		ctx, spans := traced(t, client)
		_ = client.Get(ctx, secretKey).Err()
		want := []spanOf{{"GET", map[string]string{"error.type": "connection_error"}, codes.Error,
			"dial tcp 127.0.0.1:1: connect: connection refused"}}
		if got := read(t, ctx, spans, nobody, "0"); !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, want %+v", got, want)
		}
	})
	t.Run("hung", func(t *testing.T) {
		server := component.Redis(t)
		client := redisClient(t, server.Addr)
		ctx, spans := traced(t, client)
		if err := client.Ping(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		server.Freeze()
		defer server.Thaw()
		ctx, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
		_ = client.Get(ctx, secretKey).Err()
		got := read(t, ctx, spans, server.Addr, "0")
		if len(got) != 1 || got[0].name != "GET" || !strings.HasSuffix(got[0].detail, ": i/o timeout") ||
			!reflect.DeepEqual(got[0].attrs, map[string]string{"error.type": "timeout"}) {
			t.Errorf("%+v", got)
		}
	})
	t.Run("closed by the server", func(t *testing.T) {
		server := component.Redis(t)
		client := redis.NewClient(&redis.Options{Addr: server.Addr, MaxRetries: -1, DialerRetries: 1})
		defer client.Close()
		ctx, spans := traced(t, client)
		conn := client.Conn() // keeps its connection, and so does not dial anew
		defer conn.Close()
		if err := conn.Ping(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		server.Kill()
		_ = conn.Get(ctx, secretKey).Err()
		told := read(t, ctx, spans, server.Addr, "0")
		if len(told) != 1 || told[0].name != "GET" || told[0].attrs["error.type"] != "connection_error" {
			t.Errorf("%+v", told)
		}
	})
	t.Run("no connection free", func(t *testing.T) {
		server := miniredis.RunT(t)
		client := redis.NewClient(&redis.Options{Addr: server.Addr(), PoolSize: 1, PoolTimeout: time.Millisecond, MaxRetries: -1})
		defer client.Close()
		ctx, spans := traced(t, client)
		conn := client.Conn()
		defer conn.Close()
		if err := conn.Ping(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		_ = client.Get(ctx, secretKey).Err()
		told := read(t, ctx, spans, server.Addr(), "0")
		if len(told) != 1 || !reflect.DeepEqual(told[0].attrs, map[string]string{"error.type": "pool_timeout"}) {
			t.Errorf("%+v", told)
		}
	})
}

// panics is a value that cannot be sent.
type panics struct{}

func (panics) MarshalBinary() ([]byte, error) { panic("boom") }

func TestRedisSpanEndsWithAPanic(t *testing.T) {
	server := miniredis.RunT(t)
	client := redisClient(t, server.Addr())
	ctx, spans := traced(t, client)
	func() {
		defer func() { _ = recover() }()
		client.Set(ctx, secretKey, panics{}, 0)
		t.Error("no panic")
	}()
	told := read(t, ctx, spans, server.Addr(), "0")
	if len(told) == 0 || told[len(told)-1].name != "SET" {
		t.Errorf("%+v, want SET to have ended", told)
	}
}
