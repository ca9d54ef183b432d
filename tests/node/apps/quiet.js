// A worker that listens nowhere: it waits for messages until it is told to leave.
'use strict';
const say = require('./say');

process.on('message', (message) => say('message', { message }));
process.on('disconnect', () => say('disconnect'));
process.on('exit', (code) => say('exit', { code }));
process.send('ready');
say('started');
