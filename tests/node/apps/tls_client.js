// tls_client.js PORT COUNT: connects that often with the session of the first time, and prints each
// time who answered and whether the session was resumed.
'use strict';
const tls = require('node:tls');

const settings = require('./tls_settings');
const [port, count] = process.argv.slice(2).map(Number);
let session;

function connect(left) {
  if (left === 0) return;
  const socket = tls.connect({
    ...settings,
    host: '127.0.0.1',
    port,
    session,
    checkServerIdentity: () => undefined,
    pskCallback: () => ({ psk: settings.psk, identity: 'test' }),
  });
  let text = '';
  socket.on('secureConnect', () => { session = session || socket.getSession(); });
  socket.on('data', (data) => { text += data; });
  socket.on('close', () => {
    process.stdout.write(text);
    connect(left - 1);
  });
}

connect(count);
