// Echoes datagrams with its pid before them: udp.js SAY '{"type": "udp4", "bind": {...}}'
'use strict';
const dgram = require('node:dgram');
const say = require('./say');

const { type = 'udp4', bind = { port: 0, address: '127.0.0.1' } } = say.options;
const socket = dgram.createSocket({ type });
socket.on('message', (data, from) => {
  socket.send(`${process.pid} ${data}`, from.port, from.address);
});
socket.on('error', (error) => say('error', { code: error.code }));
socket.bind(bind, () => say('listening', { address: socket.address() }));
