// A plain child of child_process.fork(), no worker of the cluster module: its primary sends it the
// server to accept from, or connections one by one. It commits suicide as a careful program does:
// it says so, takes nothing new, finishes what it has, and exits when it was let go.
'use strict';
const cluster = require('node:cluster');
const http = require('node:http');
const say = require('./say');

let listener;
const web = http.createServer((request, response) => {
  const body = `handled by worker, pid is ${process.pid}\n`;
  response.setHeader('Content-Length', body.length);
  response.setHeader('Connection', 'close');
  if (request.url === '/throw') response.on('finish', () => { throw new Error('as ordered'); });
  response.end(body);
});

process.on('message', (message, handle) => {
  say('message', { message, handle: handle && handle.constructor.name });
  if (message === 'server') {
    listener = handle;
    listener.on('connection', (socket) => web.emit('connection', socket));
  } else if (message === 'connection') {
    web.emit('connection', handle);
  }
});
const takeNoMore = () => { if (listener) listener.close(); };
process.on('disconnect', () => {
  say('disconnect');
  takeNoMore();
});
process.on('uncaughtException', () => {
  process.exitCode = 1;
  if (process.connected) process.send({ act: 'suicide' });
  takeNoMore();
});
say('started', { isWorker: cluster.isWorker });
