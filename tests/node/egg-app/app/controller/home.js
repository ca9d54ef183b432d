'use strict';

// Egg itself is not here but where npm put it.
module.exports = (app) => class HomeController extends app.Controller {
  // Who answers, and what this worker has heard.
  index() {
    this.ctx.set('Connection', 'close');
    this.ctx.body = `handled by worker, pid is ${process.pid}\n${JSON.stringify(this.app.heard)}\n`;
  }

  // Says something to everybody, as Egg's Messenger does: ?to=app, agent or a pid.
  tell() {
    const { to, word } = this.ctx.query;
    if (to === 'app') this.app.messenger.sendToApp('word', word);
    else if (to === 'agent') this.app.messenger.sendToAgent('word', word);
    else if (to === 'random') this.app.messenger.sendRandom('word', word);
    else this.app.messenger.sendTo(to, 'word', word);
    this.index();
  }
};
