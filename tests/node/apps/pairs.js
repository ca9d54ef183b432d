// Two servers in one worker, and a channel that is busy: who connects must reach the server whose
// port it asked for. pairs.js SAY; the answer begins with the server's own port.
'use strict';
const net = require('node:net');
const say = require('./say');

// About 60 KB in all, which is near to what Node reads of its channel at a time.
const traffic = () => {
  for (let left = 30; left > 0; left -= 1) {
    process.send({ action: 'noise', data: 'x'.repeat(2000), to: 'app' });
  }
};

process.on('message', () => {});
for (const number of [0, 1]) {
  const server = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.end(`${server.address().port} ${process.pid}\n`);
    if (socket.localPort !== server.address().port) say('stray');
  });
  server.listen(0, '127.0.0.1', () => {
    say('listening', { server: number, address: server.address() });
  });
}
setInterval(traffic, 100);
