// A plain child that has said that it is ready before anybody could have asked whether it runs.
'use strict';
process.send('ready');
process.on('message', (message, handle) => {
  if (message === 'connection') handle.end(`${process.pid}\n`);
});
process.on('disconnect', () => process.exit(0));
