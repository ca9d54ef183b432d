// Node's own primary, with the command line that tests/support/node.cpp gives any other primary:
// primary.js --policy rr|none -n 2 -- node APP ARGUMENTS
// What the scenarios say of clusterd is true of it as well, where they do not say otherwise. So it
// shows whether it is the scenario that is wrong or clusterd. It replaces who dies by accident.
'use strict';
const cluster = require('node:cluster');

const words = process.argv.slice(2);
const at = words.indexOf('--');
const [, policy, , count] = words.slice(0, at);
const command = words.slice(at + 1);
const flags = [];
let program = command[1];
let rest = command.slice(2);
while (program.startsWith('-')) {  // node -r FILE
  flags.push(program, rest[0]);
  [program, ...rest] = rest.slice(1);
}

cluster.schedulingPolicy = policy === 'rr' ? cluster.SCHED_RR : cluster.SCHED_NONE;
cluster.setupPrimary({ exec: program, args: rest, execArgv: flags });
for (let left = Number(count); left > 0; left -= 1) cluster.fork();
cluster.on('exit', (worker) => { if (!worker.exitedAfterDisconnect) cluster.fork(); });
// Sockets that workers give away: nobody here wants them.
cluster.on('message', (worker, message, handle) => { if (handle) handle.destroy(); });
