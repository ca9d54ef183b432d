'use strict';

module.exports = (agent) => {
  // What the agent hears goes back to all workers, with its pid.
  agent.messenger.on('word', (word) => {
    agent.messenger.sendToApp('word', `${process.pid} heard ${word}`);
  });
  agent.messenger.on('egg-ready', () => {
    agent.messenger.sendToApp('word', 'the agent is ready');
  });
};
