'use strict';

// What a test does not need is not loaded: a worker starts in a fraction of the time.
const names = ['onerror', 'session', 'i18n', 'watcher', 'multipart', 'security', 'development',
  'logrotator', 'schedule', 'static', 'jsonp', 'view'];

module.exports = Object.fromEntries(names.map((name) => [name, false]));
