// TLS 1.2, because there the session comes with the handshake; 1.3 sends it some time later.
'use strict';
module.exports = {
  ciphers: 'PSK',
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.2',
  psk: Buffer.alloc(32, 7),
};
