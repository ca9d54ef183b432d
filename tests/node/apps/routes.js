// A worker whose clients tell it what to do to itself:
// routes.js SAY '{"host": "127.0.0.1", "port": 0, "connections": 0}'
'use strict';
const cluster = require('node:cluster');
const fs = require('node:fs');
const http = require('node:http');
const say = require('./say');

const { host = '127.0.0.1', port = 0, connections = 0 } = say.options;
const held = [];

function burn(milliseconds) {
  for (const end = Date.now() + milliseconds; Date.now() < end;);
}

// What the query orders: when the answer is with the client or, with ?first, before there is one.
const orders = {
  disconnect: () => cluster.worker.disconnect(),
  kill: () => cluster.worker.kill(),
  hangup: () => process.disconnect(),
  exit: (code) => process.exit(Number(code)),
  abort: () => process.abort(),
  throw: () => { throw new Error('as ordered'); },
  reject: () => { Promise.reject(new Error('as ordered')); },
  interval: () => setInterval(() => {}, 1000),
  block: (milliseconds) => {
    say('blocks');
    burn(Number(milliseconds));
  },
  close: () => server.close(() => say('closed')),
  reopen: () => server.close(() => server.listen({ host, port })),
  send: (json) => process.send(JSON.parse(json), (error) => say('sent', { error: String(error) })),
  // Leaves no descriptor for what comes next; ?free gives them back.
  fill: () => {
    try {
      for (;;) held.push(fs.openSync('/dev/null'));
    } catch (error) {
      fs.closeSync(held.pop());  // say() needs one
      say('full', { code: error.code });
      held.push(fs.openSync('/dev/null'));
    }
  },
  free: () => held.splice(0).forEach((fd) => fs.closeSync(fd)),
};

function obey(query) {
  for (const [order, value] of query) if (orders[order]) orders[order](value);
}

const server = http.createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url, 'http://test');
  const id = pathname.slice(1);
  if (searchParams.has('first')) obey(searchParams);
  let body = `handled by worker, pid is ${process.pid}\nid is ${id}\n`;
  if (searchParams.has('big')) body += 'x'.repeat(Number(searchParams.get('big')));
  response.setHeader('Content-Length', body.length);
  // The load of the tests reads to the end of the connection.
  if (id !== '') response.setHeader('Connection', 'close');
  // A moment later, when the end of the connection has gone out as well.
  const after = () => searchParams.has('first') || setTimeout(obey, 10, searchParams);
  setTimeout(() => response.end(body, after), Number(searchParams.get('slow') || 0));
});
if (connections > 0) server.maxConnections = connections;

process.on('message', (message) => say('message', { message }));
process.on('disconnect', () => {
  say('disconnect', { planned: cluster.isWorker && cluster.worker.exitedAfterDisconnect === true });
});
process.on('exit', (code) => say('exit', { code }));
server.on('error', (error) => say('error', { code: error.code }));
server.on('listening', () => say('listening', { address: server.address() }));
server.listen({ host, port, backlog: 511 });
