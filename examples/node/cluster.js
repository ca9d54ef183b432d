// An ordinary HTTP server. Under clusterd listen() asks the master for the port, because Node's own
// cluster module does so in a worker; there is nothing to add and nothing to change.
'use strict';
const http = require('node:http');

const server = http.createServer((request, response) => {
  response.end(`handled by worker, pid is ${process.pid}\n`);
});

server.listen(process.env.PORT || 8080, '127.0.0.1');
