// An HTTP server on Node's cluster module: node_cluster.js http|net WORKERS BACKLOG [PORT]
// "net" answers from the bare socket: what the module itself costs, without Node's HTTP.
// Which policy it has is in NODE_CLUSTER_SCHED_POLICY (rr or none). Under clusterd it is a worker.
'use strict';
const cluster = require('node:cluster');
const http = require('node:http');
const net = require('node:net');

const [kind, workers, backlog, port = 0] = process.argv.slice(2);
const body = `pid is ${process.pid}\n`;
const listen = { host: '127.0.0.1', port: Number(port), backlog: Number(backlog) };

function serveHttp() {
  const server = http.createServer((request, response) => {
    response.setHeader('Content-Type', 'text/plain');
    response.setHeader('Content-Length', body.length);
    response.end(body);
  });
  server.keepAliveTimeout = 300000;
  server.listen(listen);
}

function serveNet() {
  const head = `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n`;
  const keep = `${head}\r\n${body}`;
  const close = `${head}Connection: close\r\n\r\n${body}`;
  const server = net.createServer({ noDelay: true }, (socket) => {
    let request = '';
    socket.setEncoding('latin1');
    socket.on('error', () => socket.destroy());
    socket.on('data', (data) => {
      request += data;
      if (!request.endsWith('\r\n\r\n')) return;
      const last = request.includes('onnection: close');
      request = '';
      if (last) socket.end(close);
      else socket.write(keep);
    });
  });
  server.listen(listen);
}

if (cluster.isPrimary) {
  for (let count = 0; count < Number(workers); count += 1) cluster.fork();
  cluster.on('exit', () => cluster.fork());
  cluster.on('listening', (worker, address) => {
    console.log(`listening on ${address.address}:${address.port}`);
  });
} else if (kind === 'http') {
  serveHttp();
} else {
  serveNet();
}
