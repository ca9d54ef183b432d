// Gives connections away: a client's word says what becomes of its own. What arrives from another
// worker is answered here.
'use strict';
const net = require('node:net');
const say = require('./say');

const words = {
  pid: (socket) => socket.end(`${process.pid}\n`),
  give: (socket) => {
    process.send({ action: 'take', data: process.pid, to: 'app' }, socket, () => say('given'));
    // Waits in this process until the primary has said that it has the descriptor.
    process.send({ action: 'after', data: process.pid, to: 'app' }, () => say('sent after it'));
  },
  count: (socket) => server.getConnections((error, count) => socket.end(`${count}\n`)),
  // The server is not closed before the primary has said that the sockets given away are.
  close: (socket) => {
    socket.end('closing\n');
    server.close(() => say('closed'));
  },
};

const server = net.createServer((socket) => {
  socket.on('error', () => {});
  socket.once('data', (data) => words[String(data).trim()](socket));
});

process.on('message', (message, socket) => {
  say('message', { message, socket: Boolean(socket) });
  if (socket) socket.end(`${process.pid} for ${message.data}\n`);
});
server.listen(0, '127.0.0.1', () => say('listening', { address: server.address() }));
