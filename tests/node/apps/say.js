// How a program of this folder tells the test what it sees: a line of JSON at the end of the file
// that its first argument names. A file, because every primary leaves files alone, and a line says
// also what happens when the channel is gone.
'use strict';
const cluster = require('node:cluster');
const fs = require('node:fs');

const file = process.argv[2];

module.exports = function say(what, more) {
  const line = { what, pid: process.pid, id: cluster.isWorker ? cluster.worker.id : -1, ...more };
  fs.appendFileSync(file, `${JSON.stringify(line)}\n`);
};

// What follows the file, as JSON; {} if there is nothing.
module.exports.options = JSON.parse(process.argv[3] || '{}');
