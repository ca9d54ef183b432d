// An Express application as its manual writes it; it knows nothing of a cluster.
// express.js SAY '{"modules": "a node_modules folder that has Express"}'
'use strict';
const say = require('./say');

const express = require(`${say.options.modules}/express`);

const app = express();
app.get('/', (request, response) => {
  response.set('Connection', 'close').send(`handled by worker, pid is ${process.pid}\n`);
});
const server = app.listen(0, '127.0.0.1', () => say('listening', { address: server.address() }));
