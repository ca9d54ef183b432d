// Gives connections away: a client's word says what becomes of its own. What arrives from another
// worker is answered here.
'use strict';
const dgram = require('node:dgram');
const net = require('node:net');
const say = require('./say');

const words = {
  pid: (socket) => socket.end(`${process.pid}\n`),
  give: (socket) => {
    process.send({ action: 'take', data: process.pid, to: 'app' }, socket, () => say('given'));
    // Waits in this process until the primary has said that it has the descriptor.
    process.send({ action: 'after', data: process.pid, to: 'app' }, () => say('sent after it'));
  },
  // To one other process.
  lend: (socket, pid) => {
    process.send({ action: 'take', data: process.pid, receiverPid: pid }, socket);
  },
  'lend-server': (socket, pid) => {
    const other = net.createServer(() => {});
    other.listen({ port: 0, host: '127.0.0.1', exclusive: true }, () => {
      process.send({ action: 'take', data: other.address().port, receiverPid: pid }, other);
      socket.end(`${other.address().port}\n`);
    });
  },
  'lend-datagrams': (socket, pid) => {
    const udp = dgram.createSocket('udp4');
    udp.bind({ port: 0, address: '127.0.0.1', exclusive: true }, () => {
      process.send({ action: 'take', data: udp.address().port, receiverPid: pid }, udp);
      socket.end(`${udp.address().port}\n`);
    });
  },
  // What only a worker that means harm sends: a listener that is said to be a connection.
  'lend-lie': (socket, pid) => {
    const other = net.createServer(() => {});
    other.listen({ port: 0, host: '127.0.0.1', exclusive: true }, () => {
      const liar = Object.create(net.Socket.prototype);
      liar._handle = other._handle;
      process.send({ action: 'take', data: 'lie', receiverPid: pid }, liar, { keepOpen: true });
      socket.end('lied\n');
    });
  },
  deep: (socket) => {
    let data = 1;
    for (let depth = 0; depth < 100; depth += 1) data = [data];
    process.send({ action: 'take', data, to: 'app' }, socket);
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
  socket.once('data', (data) => {
    const [word, pid] = String(data).trim().split(' ');
    words[word](socket, Number(pid));
  });
});

process.on('message', (message, handle) => {
  const kind = handle ? handle.constructor.name : 'none';
  const port = kind === 'Server' || (kind === 'Socket' && handle.bind) ? handle.address().port : 0;
  say('message', { message, socket: Boolean(handle), kind, port });
  if (handle && handle.end) handle.end(`${process.pid} for ${message.data}\n`);
});
server.listen(0, '127.0.0.1', () => say('listening', { address: server.address() }));
