'use strict';

module.exports = (app) => {
  app.router.get('/', app.controller.home.index);
  app.router.get('/tell', app.controller.home.tell);
};
