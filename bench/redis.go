package main

import "net"

// startRedis starts a Redis that keeps nothing on disk. Whoever started it has to stop it.
func startRedis(dir string) (addr string, p program, err error) {
	if addr, err = freeAddr(); err != nil {
		return "", p, err
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", p, err
	}
	p, err = run("redis-server", addr, nil, "--bind", host, "--port", port, "--save", "", "--appendonly", "no", "--dir", dir)
	return addr, p, err
}
