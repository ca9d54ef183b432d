// Listens in as many ways as its options have: listens.js SAY '[{"port": 0}, {"path": "a.sock"}]'
// Each entry is what server.listen() takes; "after": N waits for the N-th to listen.
// "cwd" is where the worker goes before; "@name" is an abstract path. A server answers with its number
// and its worker's pid, and ends the connection.
'use strict';
const fs = require('node:fs');
const net = require('node:net');
const say = require('./say');

function listen({ cwd, ...options }, number) {
  if (cwd) process.chdir(cwd);
  const server = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.end(`${number} ${process.pid}\n`);
  });
  server.on('error', (error) => say('error', { server: number, code: error.code }));
  server.on('listening', () => {
    const more = { server: number, address: server.address() };
    if (options.readableAll) more.mode = fs.statSync(options.path).mode & 0o777;
    say('listening', more);
    say.options.forEach((other, at) => { if (other.after === number) listen(other, at); });
  });
  server.listen({ ...options, path: options.path && options.path.replace('@', '\0') });
}

say.options.forEach((options, number) => {
  if (options.after === undefined) listen(options, number);
});
