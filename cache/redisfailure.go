package cache

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/redis/go-redis/v9"
	semconv "go.opentelemetry.io/otel/semconv/v1.41.0"
)

// What error.type says where Redis itself said nothing.
const (
	failedTimeout    = "timeout"
	failedCanceled   = "canceled"
	failedPool       = "pool_timeout"
	failedConnection = "connection_error"
)

var failedOther = semconv.ErrorTypeOther.Value.AsString()

// redisFailure is an error without the keys and values that its text may repeat.
type redisFailure struct {
	kind   string // error.type; empty where nothing failed
	code   string // db.response.status_code; empty where Redis gave none
	detail string // what the network says; empty where it was not the network
}

// failureOf describes err, which is not nil.
func failureOf(err error) redisFailure {
	if errors.Is(err, redis.Nil) {
		return redisFailure{} // before anything is allocated: a miss is a common thing
	}
	var reply redis.Error
	var network *net.OpError
	switch {
	case errors.Is(err, context.Canceled):
		return redisFailure{kind: failedCanceled}
	case errors.Is(err, redis.ErrPoolTimeout), errors.Is(err, redis.ErrPoolExhausted):
		return redisFailure{kind: failedPool}
	case errors.As(err, &reply):
		if code := errorPrefix(reply.Error()); code != "" {
			return redisFailure{kind: code, code: code}
		}
		return redisFailure{kind: failedOther}
	}
	f := redisFailure{kind: failedOther}
	if errors.As(err, &network) {
		f.kind, f.detail = failedConnection, network.Error()
	}
	var waited interface{ Timeout() bool }
	switch {
	case errors.As(err, &waited) && waited.Timeout():
		f.kind = failedTimeout
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		f.kind = failedConnection
	}
	return f
}

// errorPrefix is the first word of an error of Redis if it is one by the protocol's custom: upper-case. The
// rest of the text may be anybody's, as may all of it where a script made it.
// https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors
func errorPrefix(text string) string {
	word, _, _ := strings.Cut(text, " ")
	if len(word) == 0 || len(word) > 32 {
		return ""
	}
	for _, c := range word {
		if (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' {
			return ""
		}
	}
	return word
}

// firstFailure is the error of a batch: err, or what it leaves out. go-redis reports the first command's,
// also where that is only a key that is not there.
func firstFailure(cmds []redis.Cmder, err error) error {
	if err != nil && !errors.Is(err, redis.Nil) {
		return err
	}
	for _, cmd := range cmds {
		if err := cmd.Err(); err != nil && !errors.Is(err, redis.Nil) {
			return err
		}
	}
	return nil
}
