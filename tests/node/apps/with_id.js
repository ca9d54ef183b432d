// For node -r, before a program that knows nothing of tests. What it answers to /NUMBER is what it
// answers to /, and "id is NUMBER", by which the load of the tests knows its own answer; /throw is
// answered like /, and then something is wrong.
'use strict';
const http = require('node:http');

function add(id, response) {
  const { end } = response;
  // The length has to be known before the head is written.
  response.writeHead = (status, headers = {}) => {
    response.statusCode = status;
    Object.entries(headers).forEach(([name, value]) => response.setHeader(name, value));
    return response;
  };
  response.end = (body, ...rest) => {
    delete response.writeHead;
    const whole = response.statusCode === 200 ? `${body}id is ${id}\n` : String(body);
    response.setHeader('Content-Length', Buffer.byteLength(whole));
    response.setHeader('Connection', 'close');
    return end.call(response, whole, ...rest);
  };
}

const { emit } = http.Server.prototype;
http.Server.prototype.emit = function handle(...words) {
  const [name, request, response] = words;
  const [, id] = (name === 'request' && /^\/([0-9]+|throw)$/.exec(request.url)) || [];
  if (id) request.url = '/';
  if (id === 'throw') response.on('finish', () => { throw new Error('as ordered'); });
  else if (id) add(id, response);
  return emit.apply(this, words);
};
