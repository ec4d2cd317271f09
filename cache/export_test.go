package cache

// NearBytes is what the near tier holds once its pending work is done.
func NearBytes(c *Cache) uint64 {
	c.near.otter.CleanUp()
	return c.near.otter.WeightedSize()
}
