// The same messages by Node's process.send: node_messages.js KIND BYTES SECONDS [relay]
// KIND is oneway, bcast or rtt: from the primary to one worker, to 8, or to one and back. With
// "relay" from worker to worker, whose messages the primary passes on, as an application of the
// cluster module has to. It prints one line of JSON, as bench-messages writes.
'use strict';
const cluster = require('node:cluster');

const [kind, bytes, seconds, relay] = process.argv.slice(2);
const message = { action: 'm', to: 'app', senderPid: process.pid, data: 'x'.repeat(Number(bytes)) };
const burst = 4096;

/// Sends by `send(message, callback)` until the time is over: no more than some are on their way.
function flood(send, done) {
  const end = Date.now() + Number(seconds) * 1000;
  let sent = 0;
  let under_way = 0;
  let over = false;
  function go() {
    if (over) return;
    if (Date.now() >= end) {
      over = true;
      done(sent);
      return;
    }
    for (let left = burst; left > 0; left -= 1) {
      sent += 1;
      under_way += 1;
      send(message, () => {
        under_way -= 1;
        if (under_way === burst) setImmediate(go);
      });
    }
    if (under_way <= burst) setImmediate(go);
  }
  go();
}

/// Each round trip begins when the one before has ended.
function rounds(send, on, done) {
  const started = process.hrtime.bigint();
  let count = 0;
  on(() => {
    count += 1;
    const lasted = Number(process.hrtime.bigint() - started) / 1e9;
    if (lasted >= Number(seconds)) done(count / lasted, count);
    else send(message);
  });
  send(message);
}

function report(rate, heard, sent) {
  console.log(JSON.stringify({ rate, heard, sent, lost: 0 }));
  process.exit(0);
}

function primary() {
  const receivers = [];
  const count = kind === 'bcast' ? 8 : 1;
  const told = [];
  let driver = null;
  let online = 0;

  function hears(worker, said) {
    if (said.tally) {
      told.push(said.tally);
      if (told.length < count) return;
      const heard = told.reduce((sum, one) => sum + one[0], 0);
      report(heard / Math.max(...told.map((one) => one[1])), heard, said.tally[0]);
    } else if (said.rate) {
      report(said.rate, said.count, said.count);
    } else if (said.over) {
      receivers.forEach((one) => one.send({ over: true }));
    } else if (relay && worker === driver) {
      receivers.forEach((one) => one.send(said));
    } else if (relay) {
      driver.send(said);
    }
  }

  function start() {
    if (relay) {
      driver.send({ start: true });
    } else if (kind === 'rtt') {
      rounds((one) => receivers[0].send(one), (heard) => receivers[0].on('message', heard), report);
    } else {
      flood((one, sent) => {
        receivers.forEach((each, at) => each.send(one, at === 0 ? sent : undefined));
      }, () => receivers.forEach((one) => one.send({ over: true })));
    }
  }

  for (let left = count + (relay ? 1 : 0); left > 0; left -= 1) {
    const worker = cluster.fork({ BENCH_DRIVER: relay && driver === null ? '1' : '' });
    if (relay && driver === null) driver = worker;
    else receivers.push(worker);
    worker.on('message', (said) => {
      if (said.ready) {
        online += 1;
        if (online === count + (relay ? 1 : 0)) start();
      } else {
        hears(worker, said);
      }
    });
  }
}

function receiver() {
  let count = 0;
  let first = 0n;
  let last = 0n;
  process.on('message', (said) => {
    if (said.over) {
      process.send({ tally: [count, Number(last - first) / 1e9] });
      return;
    }
    if (count === 0) first = process.hrtime.bigint();
    count += 1;
    if (count % 64 === 0) last = process.hrtime.bigint();
    if (kind === 'rtt') process.send(said);
  });
}

function drives() {
  process.once('message', () => {
    if (kind === 'rtt') {
      rounds((one) => process.send(one), (heard) => process.on('message', heard),
        (rate, count) => process.send({ rate, count }));
    } else {
      flood((one, sent) => process.send(one, sent), () => process.send({ over: true }));
    }
  });
}

if (cluster.isPrimary) {
  primary();
} else {
  if (process.env.BENCH_DRIVER) drives();
  else receiver();
  process.send({ ready: true });
}
