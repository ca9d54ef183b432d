'use strict';

module.exports = (app) => {
  app.heard = { ready: 0, words: [], agents: [] };
  app.messenger.on('egg-ready', () => { app.heard.ready += 1; });
  app.messenger.on('egg-pids', (pids) => { app.heard.agents = pids; });
  app.messenger.on('log-reload', () => app.heard.words.push('log-reload'));
  app.messenger.on('word', (word) => app.heard.words.push(word));
};
