// The suite's server listens on every interface: here it does on loopback alone.
import net from 'node:net'

const listen = net.Server.prototype.listen
net.Server.prototype.listen = function (port) { return listen.call(this, port, '127.0.0.1') }
await import('http-cache-tests/server/server.mjs')
