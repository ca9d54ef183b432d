// A TLS server without a certificate, which a key that both sides know makes needless.
'use strict';
const tls = require('node:tls');
const say = require('./say');

const settings = require('./tls_settings');

const server = tls.createServer(
  { ...settings, pskCallback: () => settings.psk },
  (socket) => {
    socket.on('error', () => {});
    socket.end(`${process.pid} ${socket.isSessionReused()}\n`);
  },
);
server.on('tlsClientError', (error) => say('tls error', { error: String(error) }));
server.listen(say.options.port || 0, '127.0.0.1', () => {
  say('listening', {
    address: server.address(),
    tickets: server.getTicketKeys().toString('hex'),
  });
});
