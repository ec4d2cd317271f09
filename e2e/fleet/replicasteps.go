package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"vitrine/e2e/fleet/forecast"
	"vitrine/e2e/redisserver"
)

// replicaSteps measures what a replica takes for its ways to answer, and for a message of another one. It returns such a
// message.
func replicaSteps(ctx context.Context, binary string, server *redisserver.Server, c *forecast.Constants) (message []byte, err error) {
	if err := server.Client.FlushAll(ctx).Err(); err != nil {
		return nil, err
	}
	fleet, stop, err := startFleet(binary, server.Addr, 2)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	sub := server.Client.Subscribe(ctx, "vitrine:events")
	defer sub.Close()
	if _, err := sub.Receive(ctx); err != nil {
		return nil, err
	}
	warm := traffic{requests: 1000, keys: 100, skew: 1, purgeEvery: 1000, strip: 1}
	if err := drive(ctx, fleet, warm.steps(2), atOnce); err != nil {
		return nil, err
	}
	const n = 4000
	ask := func(replica, times int) (us float64, err error) {
		var all []step
		for i := range n * times {
			all = append(all, step{replica: replica, key: tileOf(i%n, 2)})
		}
		before, err := fleet[replica].cpu()
		if err != nil {
			return 0, err
		}
		if err := drive(ctx, fleet, all, atOnce); err != nil {
			return 0, err
		}
		after, err := fleet[replica].cpu()
		return (after - before) / float64(len(all)), err
	}
	if c.Origin, err = ask(0, 1); err != nil {
		return nil, err
	}
	if c.FarHit, err = ask(1, 1); err != nil {
		return nil, err
	}
	if c.NearHit, err = ask(0, 4); err != nil {
		return nil, err
	}
	for message == nil {
		m, err := sub.ReceiveMessage(ctx)
		if err != nil {
			return nil, err
		}
		if strings.Contains(m.Payload, tileOf(n-1, 2)) {
			message = []byte(m.Payload)
		}
	}
	if err := sub.Close(); err != nil {
		return nil, err
	}
	c.Hearing, err = hearing(ctx, server, fleet[1], message)
	if err != nil {
		return nil, err
	}
	m, err := fleet[0].metrics(ctx)
	if err != nil {
		return nil, err
	}
	c.Pool = m.sum("db_client_connection_max", `"main"`) / processors
	c.Others = m.sum("db_client_connection_max", `"pipeline"`) + 1
	return message, nil
}

// hearing sends the message often, one at a time.
func hearing(ctx context.Context, server *redisserver.Server, r *replica, message []byte) (us float64, err error) {
	const n = 30_000
	before, err := r.cpu()
	if err != nil {
		return 0, err
	}
	for range n {
		if err := server.Client.Publish(ctx, "vitrine:events", message).Err(); err != nil {
			return 0, err
		}
	}
	after, err := r.cpu()
	return (after - before) / n, err
}

// idleSteps counts what replicas ask of Redis that nobody asks of them.
func idleSteps(ctx context.Context, binary string, server *redisserver.Server, c *forecast.Constants) (err error) {
	const replicas, lasts = 4, 20 * time.Second // two comparisons of each account
	_, stop, err := startFleet(binary, server.Addr, replicas)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	time.Sleep(2 * time.Second)
	before, err := server.Info(ctx)
	if err != nil {
		return err
	}
	time.Sleep(lasts)
	after, err := server.Info(ctx)
	each := replicas * lasts.Seconds()
	c.IdlePings = (after.Calls["ping"] - before.Calls["ping"]) / each
	c.IdleAccounts = (after.Calls["evalsha"] - before.Calls["evalsha"]) / each
	return err
}
