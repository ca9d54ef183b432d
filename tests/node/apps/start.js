// Says what a worker finds when its code begins to run; and serves, so that it stays.
'use strict';
const cluster = require('node:cluster');
const http = require('node:http');
const say = require('./say');

say('start', {
  isWorker: cluster.isWorker,
  isPrimary: cluster.isPrimary,
  id: cluster.worker && cluster.worker.id,
  connected: process.connected,
  canSend: typeof process.send === 'function',
  workerConnected: cluster.isWorker && cluster.worker.isConnected(),
  workerDead: cluster.isWorker && cluster.worker.isDead(),
  exitedAfterDisconnect: cluster.worker && typeof cluster.worker.exitedAfterDisconnect,
  left: Object.keys(process.env).filter((name) => /^NODE_(CHANNEL|UNIQUE)/.test(name)),
  slot: process.env.CLUSTERD_SLOT,
  preloaded: Boolean(globalThis.preloaded),
  arguments: process.argv.length,
});

if (cluster.isWorker) {
  const server = http.createServer((request, response) => response.end(String(process.pid)));
  server.listen(0, '127.0.0.1', () => say('listening', { address: server.address() }));
}
