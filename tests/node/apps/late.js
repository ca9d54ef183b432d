// Listens at once, and is ready only some time later: it says so by itself.
// late.js SAY '{"word": "ready", "after": 500}'
'use strict';
const http = require('node:http');
const say = require('./say');

const { word = 'ready', after = 500 } = say.options;
const server = http.createServer((request, response) => response.end(String(process.pid)));
server.listen(0, '127.0.0.1', () => {
  say('listening', { address: server.address() });
  setTimeout(() => {
    say('ready');
    process.send(word);
  }, after);
});
