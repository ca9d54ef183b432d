// A program as it is in every manual: it forks if it is the primary, and serves if it is a worker.
// Run as a worker it takes the second branch, and who forks is somebody else's affair.
'use strict';
const cluster = require('node:cluster');
const http = require('node:http');
const say = require('./say');

if (cluster.isPrimary) {
  say('primary branch');
} else {
  const server = http.createServer((request, response) => {
    const body = `handled by worker, pid is ${process.pid}\n`;
    response.setHeader('Content-Length', body.length);
    response.setHeader('Connection', 'close');
    response.end(body);
  });
  server.listen(0, '127.0.0.1', () => say('listening', { address: server.address() }));
}
