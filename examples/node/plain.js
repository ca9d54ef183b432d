// A worker without Node's cluster module: a plain child, which gets connections as messages. With
// policy = "accept-race" the message is "server", and it accepts from that by itself; with the
// others it is "connection", one for each.
'use strict';
const http = require('node:http');

const server = http.createServer((request, response) => {
  if (leaving) response.setHeader('Connection', 'close');
  response.end(`handled by worker, pid is ${process.pid}\n`);
});
let listener;
let leaving = false;

process.on('message', (message, handle) => {
  if (message === 'connection') {
    server.emit('connection', handle);
  } else if (message === 'server') {
    listener = handle;
    listener.on('connection', (socket) => server.emit('connection', socket));
  }
});

// The master asks it to leave by the end of the channel: nothing new comes, what is open is finished.
process.on('disconnect', () => {
  leaving = true;
  if (listener) listener.close();
  server.closeIdleConnections();
});

// Something is wrong: the master starts another one at once, and this one leaves when it is done.
process.on('uncaughtException', (error) => {
  console.error(error);
  process.send({ act: 'suicide' });
});
