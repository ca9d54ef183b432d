// A worker without Node's cluster module: a plain child, which gets connections as messages. With
// policy = "accept-race" the message is "server", and it accepts from that by itself; with the
// others it is "connection", one for each.
'use strict';
const http = require('node:http');

const idle = new Set();  // connections whose last request is answered
let listener;
let leaving = false;

const server = http.createServer((request, response) => {
  const { socket } = request;
  idle.delete(socket);
  response.on('finish', () => {
    if (leaving) socket.end();
    else idle.add(socket);
  });
  if (leaving) response.setHeader('Connection', 'close');
  response.end(`handled by worker, pid is ${process.pid}\n`);
});

function serve(socket) {
  socket.on('close', () => idle.delete(socket));
  server.emit('connection', socket);
}

process.on('message', (message, handle) => {
  if (message === 'connection') {
    serve(handle);
  } else if (message === 'server') {
    listener = handle;
    listener.on('connection', serve);
  }
});

// The master asks it to leave by the end of the channel: nothing new comes, what is open is finished.
// The server does not know its connections, since it never listened, and so could not end them.
process.on('disconnect', () => {
  leaving = true;
  if (listener) listener.close();
  // When what has come in by now is read: who is asking is not idle.
  setImmediate(() => idle.forEach((socket) => socket.destroy()));
});

// Something is wrong: the master starts another one at once, and this one leaves when it is done.
process.on('uncaughtException', (error) => {
  console.error(error);
  if (process.connected) process.send({ act: 'suicide' });
});
