// A worker with children of its own, one of them with a channel, which outlive it: none of them may
// keep the worker's own channel open. A request ends the worker.
'use strict';
const childProcess = require('node:child_process');
const http = require('node:http');
const say = require('./say');

if (say.options === 'child') {
  process.on('message', (message) => process.send(`child heard ${message}`));
  process.on('disconnect', () => {});
  setInterval(() => {}, 1000);
} else {
  const child = childProcess.fork(__filename, [process.argv[2], '"child"'], { detached: true });
  child.on('message', (message) => say('child says', { message }));
  child.send('hello');
  const other = childProcess.spawn('/bin/sh', ['-c', 'sleep 60'], { detached: true });
  process.on('disconnect', () => process.exit());
  say('children', { children: [child.pid, other.pid] });
  const server = http.createServer((request, response) => {
    response.setHeader('Connection', 'close');
    response.end(`handled by worker, pid is ${process.pid}\n`, () => process.exit(0));
  });
  server.listen(0, '127.0.0.1', () => say('listening', { address: server.address() }));
}
