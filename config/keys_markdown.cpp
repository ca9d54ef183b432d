#include "config/keys.h"

namespace clusterd::config {
namespace {

constexpr std::string_view kStart = R"(# The keys of app.conf

Made from `config/keys.cpp` by `clusterd keys > docs/KEYS.md`; a test compares the two.

`app.conf` is [TOML](https://toml.io). Paths in it start at its own folder. A duration is a
number with a unit: `"100ms"`, `"5s"`, `"10m"`, `"2h"`, `"1d"`; none is longer than 30 days. Of
bytes the units are `"512MiB"` or `"512M"`, and so on with K, G and T. An octal string is `"0660"`.
An unknown key is a mistake, and `clusterd check app.conf` reports all mistakes at once.
)";

constexpr std::string_view kEnd = R"(
## More on some of them

- `workers = "auto"` is the number of CPUs that clusterd may run on, or its control group's CPU
  quota rounded up (of all groups around it the smallest), whichever is fewer. The start says
  which.
- `policy`: with `round-robin` the master accepts and hands connections out in turn; with
  `least-connections` to the worker that has the fewest open; with `sticky` to the same worker
  for the same client address, which a `unix:` client does not have; with `accept-race` the
  workers accept for themselves.
- `address`: an abstract socket (`unix:@name`) is refused, since it has no permissions. `mode`,
  `owner` and `group` are for `unix:` alone, `nodelay` and `defer_accept` for TCP, `v6only` for
  IPv6, `backlog` and `queue_timeout` for all but `udp://`.
- `worker.protocol = "auto"` is `node` for node (by its name, behind `env`, or by the first line
  of a script), `listen-fds` for gunicorn, uvicorn, hypercorn, puma, unicorn, nginx, haproxy and
  php-fpm, and `native` for all others.
- `worker.policy` is for addresses in no `[[listen]]`. Where it is not set,
  `NODE_CLUSTER_SCHED_POLICY` decides (`rr` or `none`), from the workers' environment or else
  the master's.
- `protocol = "listen-fds"` is for servers that inherit their listening sockets. They find those
  from descriptor 3 on, in the order of app.conf, and `LISTEN_FDS`, `LISTEN_PID` and
  `LISTEN_FDNAMES` (in a name a `:` and what else cannot be there becomes a `_`);
  [recipes](recipes.md) has one for each of the usual ones. In `command` and the values of `env`
  and `env_file`, `{fd:NAME}` becomes the number of the listener of that name, `{address:NAME}`
  its address (with the real port, or the path of a `unix:` one), `{port:NAME}` its port, `{slot}`
  the worker's slot, and `{worker}` its number. `protocol = "none"` is for programs that need no
  sockets: the same, without any, and `[[listen]]` may be missing.
- `listen.nonblocking`: a socket is non-blocking or not for all that have it. Most servers set it
  as they need it. `false` is for those that do not and want it to block, such as php-fpm.
- `worker.ready`, for `node` and `node-fork`: with `"listening"` (as with `"auto"`) a worker is
  ready when it listens on all that it asked for, with `"message"` when it has said
  `process.send("ready")`. Native ones say it by the library. For `listen-fds` and `none`: with
  `"notify"` a worker is ready when it has said `READY=1` to its NOTIFY_SOCKET, with `"none"`
  when its program runs, with `"auto"` when it has said that or has lived for a second. A table
  says what has to be seen, one after the other: it has lived for `alive`, and then a connection
  was accepted (`tcp`) or a request for the path in `http` answered. Who answers is any worker
  that shares the socket, so this proves something of a worker only while there is no other;
  only `"notify"` is always about one worker.
- `worker.drain_signal`: what a server takes as the order to finish what it holds and leave. After
  `drain_timeout` it gets TERM, after `kill_timeout` more KILL. It also gets it when the master
  dies.
- `worker.recycle`: of several limits the first that a worker reaches counts. Its replacement is
  ready before it is asked to leave. `jitter` keeps workers that started together from leaving
  together.
- `agent`: with a `command`, one process of that program is there beside the workers, ready before
  the first and ended after the last, and never two at once; without one there is none. A native
  one is ready by the library, by saying `agent-start`, or by `READY=1`, and is asked to leave by
  the end of its channel; others get `drain_signal`. Then it has `drain_timeout`, after TERM
  `kill_timeout`, and then gets KILL. `restart` holds for it too, with an account of its own. A
  reload that changes nothing of `[agent]` leaves it alone. Else it is replaced when the new workers
  have proved themselves, the old one first.
- `restart`: deaths that nobody asked for count whenever they happen, also before a worker was
  ready, and so do suicides and hangs. When `limit` of them fall within `window` clusterd gives up:
  healthy workers stay, empty slots stay empty but for one worker that is tried each
  `giveup_retry`, and when that one is ready the pool fills up again.
- `reload`: workers are replaced in steps. `surge` new ones start beside the old, which leave when
  the new ones are ready; with `surge = 0`, `max_unavailable` old ones leave first. Not both are 0.
  A new worker that dies before it is ready, or within `settle` after, fails the reload, and the old
  ones go on serving.
- `schedule`: it runs from when every worker is ready until a stop is asked for. `every` counts
  from there by a clock that nobody sets; `cron` goes by the machine's own clock and time zone. A
  clock that is set, or a machine that sleeps, brings at most one run for all that it missed; a
  clock that is set back by an hour or less repeats none.
- `schedule.cron`: minutes, hours, days, months, weekdays, or these with seconds first. A field is
  everything (`*`), or numbers, ranges (`1-5`) and steps (`*/10` or `0-30/5`) with commas between
  them; months and weekdays have names too (`jan`, `mon`; Sunday is 0 and 7). If neither days nor
  weekdays begin with an asterisk, a day that one of them means will do. `@hourly`, `@daily` (or
  `@midnight`), `@weekly`, `@monthly` and `@yearly` (or `@annually`) stand for the usual ones. A
  time that the change to summer time leaps over is meant once, when it leaps. One that a day has
  twice is meant the first time only, but for a schedule that means every hour.
- `schedule.target`: a program that has said that it handles the schedule (`on_schedule`) tells the
  end of each run; any other gets a message with `action` and `data`, and that is all that is known
  of it. With nobody ready a run has failed. None is tried again: what it had begun is not known.
- `schedule.overlap`: while a run is not over, `"skip"` leaves the next out, `"queue"` keeps one
  waiting for its end, and `"allow"` begins it, up to 64 at once.
- `schedule.command`: found as `worker.command` is, and run with the workers' user, folder,
  variables and limits; `CLUSTERD_SCHEDULE` and `CLUSTERD_RUN` say what for. What it leaves in its
  process group when it ends is killed. At a stop it gets TERM, and KILL after `kill_timeout`.
- `messages`: what a program sends waits in the master while its receiver does not read, up to
  `queue` for each receiver, where a message counts 24 bytes more than its line. With `"error"` a
  message for which there is no room is not queued for that receiver; with `"drop-oldest"` the
  oldest make room. The senders of what is lost are told, and of a receiver that is slow when a
  quarter of `queue` is full.
- `log.rotate`: needs `log.file`, in a folder in which `user` may write. The file is renamed at
  local midnight, at the hour or at the size, and never grows beyond an eighth of `max_total`;
  old ones beyond `keep`, or without room in `max_total`, are removed, the oldest first. A reload
  can change how the log is rotated, but not whether it is.
- `hooks`: an event's program is found as `worker.command` is, runs without a shell, and reads the
  event as a line of JSON on its stdin. `[]` means none.
- `http.address`: the master listens there, and the agent answers. Whoever can connect is answered:
  keep it on 127.0.0.1 or a private network. The file of a `unix:` address has mode 0660.
- A reload cannot change `name`, `pidfile`, `[control]`, `log.file` and whether there is a
  `log.rotate`. `clusterd reload --dry-run app.conf` says what it would change.
- `user`, `group`: looked up once, when the file is read, with the groups that the user is in. A
  number without a name needs `group`. Only a master that was started as root, or with
  CAP_SETUID and CAP_SETGID, can run workers as somebody else; hooks run as the master.
- `nofile`, `nproc`, `memlock` and `core` set the soft and the hard limit. More than clusterd's
  own hard limit takes root.
- `affinity`: with `"slot"`, slot 0 runs on the first CPU on which clusterd may run, slot 1 on
  the second, and so on in turn.
- `control.group`: its members may send every command, `stop` and `reload` as well.
- `control.socket`: the run folder is `/run/clusterd` for root, else `$XDG_RUNTIME_DIR/clusterd`,
  or `/tmp/clusterd-UID` where that is not set.

## `--set key=value`

`clusterd start` and `clusterd check` take `--set`, as often as needed, each time for one key.
What it says takes the place of what `app.conf` says, and is checked in the same way. Of two that
name the same key the last counts.

```sh
clusterd start --set workers=4 --set worker.drain_timeout=10s \
  --set listen.http.policy=accept-race --set worker.env.GREETING=hi \
  --set 'worker.command=["./server", "-v"]' app.conf
```

- A key of a table is `TABLE.KEY`. `listen.NAME.KEY` is a key of the `[[listen]]` table that has
  this name or, if it has none, this address; `schedule.NAME.KEY` one of a `[[schedule]]` table.
  `worker.env.NAME` is one variable.
- The value of a key whose type is only a string (also a path, a duration or a word) is taken as
  it stands, without quotes. Other values are TOML: `4`, `true`, `["a", "b"]`, `{ A = "b" }`; one
  that is not TOML is a string: `workers=auto`, `worker.env_file=prod.env`.
- The commands to a running cluster (`clusterd status`, `stop` and so on) read `app.conf` alone:
  where `name` or `control.socket` was set in this way, they need `--socket PATH`.

## `env_file`

Each file has at most 1 MiB. Of two that set one variable the later file counts, and `env` counts
more than any file. Nothing is expanded: a `$` is a `$`.

- A line is `NAME=VALUE`; `export ` may go before it, and blanks around `NAME` and `VALUE` do not
  count. An empty line says nothing, nor does one that starts with `#` or `;`. A line may end in
  CR LF.
- `NAME` has letters, digits and `_`, no digit first, and does not start with `CLUSTERD_`. Set
  twice in one file, the last counts.
- A value without quotes goes to the end of the line, with any `#`, `'` and `"` after its start.
  A backslash takes the next character as it is; at the end of a line it joins the next line.
- `'...'` is taken as it is and may go on over several lines; so may `"..."`, where a backslash
  matters only before `"`, `\`, `` ` `` and `$`, which it keeps, and at the end of a line, which
  it joins to the next. Quoted parts may follow one another directly; nothing else may follow
  them.

But for `export `, this is what systemd reads from an `EnvironmentFile`. Where systemd guesses (a
quote that is not closed, text after a closing quote, a line without `=`) clusterd reports the
file and the line.
)";

std::string heading(const Table& table) {
  const std::string title(table.title);
  if (table.name.empty()) return "The top level";
  return "`" + title + "`";
}

std::string row(const Key& key) {
  // Required or in words it is no TOML.
  const bool literal = key.example.empty();
  const std::string fallback(key.fallback);
  return "| `" + std::string(key.name) + "` | " + std::string(key.type) + " | " +
         (literal ? "`" + fallback + "`" : fallback) + " | " + std::string(key.meaning) + " |\n";
}

}  // namespace

std::string keys_markdown() {
  std::string text(kStart);
  for (const Table& table : tables()) {
    text += "\n## " + heading(table) + "\n\n| key | type | default | meaning |\n";
    text += "| --- | --- | --- | --- |\n";
    for (const Key& key : keys()) {
      if (key.table == table.name) text += row(key);
    }
  }
  return text.append(kEnd);
}

}  // namespace clusterd::config
