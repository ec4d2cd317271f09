package cache_test

import (
	"context"
	"testing"

	"vitrine/cache"
	"vitrine/e2e/component"
)

// TestFleetPurgeDuringALoad: what a load brings that began before a purge is kept nowhere.
func TestFleetPurgeDuringALoad(t *testing.T) {
	t.Parallel()
	server := component.Redis(t)
	for _, by := range []string{"the replica that loads", "another replica", "another replica, and nobody hears of it"} {
		for _, scope := range scopes {
			t.Run(scope+" by "+by, func(t *testing.T) {
				store := func() cache.Store { return cache.Redis(patientClient(t, server.Addr), t.Name()) }
				its := store()
				if by == "another replica, and nobody hears of it" {
					its = deaf{its.(*cache.RedisStore)}
				}
				one, two := newReplicaOver(t, its, cache.Options{}), newReplicaOver(t, store(), cache.Options{})
				var v version
				v.n.Store(1)
				begun, end, came := make(chan struct{}), make(chan struct{}), make(chan int64)
				go func() {
					got, err := cache.Fetch(t.Context(), one.Cache, "key", func(ctx context.Context) (int64, error) {
						got, err := v.load(ctx)
						close(begun)
						<-end
						return got, err
					})
					if err != nil {
						t.Error(err)
					}
					came <- got
				}()
				<-begun
				waits := make(chan int64)
				go func() {
					got, err := cache.Fetch(t.Context(), two.Cache, "key", v.load)
					if err != nil {
						t.Error(err)
					}
					waits <- got
				}()
				v.n.Store(2)
				purger := two
				if by == "the replica that loads" {
					purger = one
				}
				if err := purge(t.Context(), purger.Cache, cache.Hard, scope); err != nil {
					t.Fatal(err)
				}
				// Whoever asks from now on has the new value, and does not wait for the old one where the key was purged.
				if scope == "key" {
					if got, err := cache.Fetch(t.Context(), two.Cache, "key", v.load); got != 2 || err != nil {
						t.Errorf("%d, %v after the purge, want 2", got, err)
					}
				}
				close(end)
				if got := <-came; got != 1 {
					t.Errorf("who began the load has %d, want 1", got)
				}
				t.Logf("another replica that waited meanwhile has version %d", <-waits)
				all := []replica{two, newReplicaOver(t, store(), cache.Options{})}
				if _, isDeaf := its.(deaf); !isDeaf {
					all = append(all, one)
				}
				heard(t, &v, all...)
				stay(t, &v, all...)
			})
		}
	}
}

// TestFleetLosesItsAccount: what was void stays so when Redis has forgotten why.
func TestFleetLosesItsAccount(t *testing.T) {
	t.Parallel()
	for _, scope := range []string{"tags", "all"} {
		t.Run(scope, func(t *testing.T) {
			t.Parallel()
			server := component.Redis(t)
			client := redisClient(t, server.Addr)
			all := []replica{newReplica(t, server, cache.Options{}), newReplica(t, server, cache.Options{}), newReplica(t, server, cache.Options{})}
			var v version
			v.n.Store(1)
			warm(t, &v, all...)
			v.n.Store(2)
			if err := purge(t.Context(), all[0].Cache, cache.Hard, scope); err != nil {
				t.Fatal(err)
			}
			for _, key := range []string{"{cache}:purges", "{cache:v:key}"} {
				if n, err := client.Exists(t.Context(), key).Result(); n != 1 || err != nil {
					t.Fatalf("%d of %s, %v; want 1", n, key, err)
				}
			}
			if err := client.Del(t.Context(), "{cache}:purges").Err(); err != nil {
				t.Fatal(err)
			}
			// A replica that knows of nothing, before those that remember can have replaced the value.
			late := newReplica(t, server, cache.Options{})
			stay(t, &v, late)
			all = append(all, late)
			heard(t, &v, all...)
			stay(t, &v, all...)
			// Who connects anew learns of the account that there is now.
			if n, err := client.ClientKillByFilter(t.Context(), "TYPE", "pubsub").Result(); n != 4 || err != nil {
				t.Fatalf("%d subscriptions, %v; want 4", n, err)
			}
			eventually(t, "subscriptions are back", func() bool {
				n, err := client.PubSubNumSub(t.Context(), "events").Result()
				return err == nil && n["events"] == 4
			})
			stay(t, &v, all...)
			// And purges go on.
			v.n.Store(3)
			if err := purge(t.Context(), late.Cache, cache.Hard, scope); err != nil {
				t.Fatal(err)
			}
			took := heard(t, &v, all...)
			stay(t, &v, all...)
			t.Logf("a purge in the new account was heard of after %s", took)
		})
	}
}

// TestFleetLosesALease: a value whose lease Redis has forgotten may be older than another.
func TestFleetLosesALease(t *testing.T) {
	t.Parallel()
	server := component.Redis(t)
	client := redisClient(t, server.Addr)
	one, two := newReplica(t, server, cache.Options{}), newReplica(t, server, cache.Options{})
	var v version
	v.n.Store(1)
	got, result, err := fetch(t, one.Cache, "key", func(ctx context.Context) (int64, error) {
		if n, err := client.Del(ctx, "{cache:v:key}:lease").Result(); n != 1 || err != nil {
			t.Errorf("%d leases, %v; want 1", n, err)
		}
		return v.load(ctx)
	})
	if got != 1 || err != nil || result.Outcome != cache.Miss || result.Stored {
		t.Errorf("%d, %+v, %v; want a miss that is not stored", got, result, err)
	}
	if n, err := client.Exists(t.Context(), "{cache:v:key}").Result(); n != 0 || err != nil || len(one.Hottest(1)) != 0 {
		t.Errorf("%d values in Redis, %v; in the near tier %v; want none", n, err, one.Hottest(1))
	}
	v.n.Store(2)
	stay(t, &v, one, two)
}

// TestRedisOfASnapshot: what comes back with a Redis that was restarted from a snapshot was purged since, and purges go on
// being heard.
func TestRedisOfASnapshot(t *testing.T) {
	for _, scope := range scopes {
		t.Run(scope, func(t *testing.T) {
			t.Parallel()
			server := component.Redis(t)
			one, two := newReplica(t, server, cache.Options{}), newReplica(t, server, cache.Options{})
			ask := func(r replica, version, want string) {
				t.Helper()
				got, err := cache.Fetch(t.Context(), r.Cache, "key", func(ctx context.Context) (string, error) {
					cache.AddTags(ctx, "tag")
					return version, nil
				})
				if got != want || err != nil {
					t.Errorf("%q, %v; want %q", got, err, want)
				}
			}
			ask(one, "old", "old")
			ask(two, "old", "old")
			client := redisClient(t, server.Addr)
			if err := client.Save(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
			if err := purge(t.Context(), one.Cache, cache.Hard, scope); err != nil {
				t.Fatal(err)
			}
			server.Kill()
			eventually(t, "both know that it is gone", func() bool { return leftOut(t, one) && leftOut(t, two) })
			server.Start()
			if n, err := client.DBSize(t.Context()).Result(); err != nil || n < 2 {
				t.Fatalf("%d keys, %v: nothing was shown of a snapshot", n, err)
			}
			eventually(t, "both use it again", func() bool { return !leftOut(t, one) && !leftOut(t, two) })
			ask(one, "new", "new")
			ask(two, "newer", "new")
			if err := purge(t.Context(), two.Cache, cache.Hard, scope); err != nil {
				t.Fatal(err)
			}
			ask(two, "newest", "newest")
			eventually(t, "the other hears of it", func() bool {
				got, err := cache.Fetch(t.Context(), one.Cache, "key", func(context.Context) (string, error) { return "another", nil })
				return err == nil && got == "newest"
			})
		})
	}
}

func leftOut(t *testing.T, r replica) bool { return breakerState(t, r.registry, "cache") == 1 }
