package cache

// NearBytes is what the near tier holds once its pending work is done.
func NearBytes(c *Cache) uint64 {
	c.near.otter.CleanUp()
	return c.near.otter.WeightedSize()
}

// WaitingGets is how many reads wait to share a call.
func WaitingGets(s *RedisStore) int {
	s.gets.mu.Lock()
	defer s.gets.mu.Unlock()
	return len(s.gets.waiting)
}
