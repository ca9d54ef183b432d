'use strict';

module.exports = (info) => ({
  keys: 'of the tests',
  rundir: process.env.EGG_APP_RUN,
  logger: { dir: process.env.EGG_APP_RUN, consoleLevel: 'ERROR', level: 'ERROR' },
  cluster: { listen: { hostname: '127.0.0.1' } },
});
