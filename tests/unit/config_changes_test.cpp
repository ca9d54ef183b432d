#include "config/changes.h"
#include "config/keys.h"
#include "tests/support/config_texts.h"

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <vector>

using namespace clusterd;
using namespace clusterd::config;
using namespace clusterd::test;

namespace {

using Lines = std::vector<std::string>;

Surroundings everything_is_there() {
  Surroundings around = surroundings();
  around.why_not_executable = [](const std::string&) { return std::string(); };
  around.why_not_folder = around.why_not_executable;
  return around;
}

/// The settings of an app.conf with one listener of each kind, after `sets`.
Settings with(const Sets& sets) {
  static const std::string text = R"(
[[listen]]
name = 'web'
address = '127.0.0.1:80'
[[listen]]
name = 'web6'
address = '[::1]:80'
[[listen]]
name = 'local'
address = 'unix:/run/x'
[[schedule]]
name = 'tick'
every = '1s'
[[schedule]]
name = 'tock'
cron = '@daily'
[worker]
command = ['./web']
env = { TOKEN = 'secret', GONE = '1' }
)";
  return good(text, everything_is_there(), sets);
}

Lines changed(const Sets& before, const Sets& after) { return changes(with(before), with(after)); }

/// A value that no key has by default or above; empty for a key that has but one meaning.
const std::map<std::string, std::string> kOther = {
    {"name", "other"},
    {"workers", "7"},
    {"pidfile", "/run/other.pid"},
    {"stop_delay", "17s"},
    {"listen.web.name", "other"},
    {"listen.web.address", "127.0.0.1:81"},
    {"listen.web.policy", "sticky"},
    {"listen.web.backlog", "17"},
    {"listen.web.queue_timeout", "17s"},
    {"listen.web.nonblocking", ""},  // as the next ones that have none: see below
    {"listen.web.nodelay", "false"},
    {"listen.web.defer_accept", "17s"},
    {"listen.web6.v6only", "false"},
    {"listen.local.mode", "0600"},
    {"listen.local.owner", "root"},
    {"listen.local.group", "root"},
    {"worker.command", "['./web', '-v']"},
    {"worker.env", "{ TOKEN = 'secret', GONE = '1', NEW = '1' }"},
    {"worker.env_file", "a.env"},
    {"worker.protocol", "node"},
    {"worker.stdin", ""},
    {"worker.drain_signal", ""},
    {"worker.ready.alive", ""},
    {"worker.ready.tcp", ""},
    {"worker.ready.http", ""},
    {"worker.ready.listener", ""},
    {"worker.policy", ""},  // needs Node: see below
    {"worker.ready_timeout", "17s"},
    {"worker.drain_timeout", "17s"},
    {"worker.kill_timeout", "17s"},
    {"worker.stall_timeout", "17s"},
    {"worker.heartbeat_timeout", "17s"},
    {"worker.recycle.requests", "17"},
    {"worker.recycle.lifetime", "17s"},
    {"worker.recycle.memory", "17MiB"},
    {"worker.recycle.jitter", "0.17"},
    {"worker.max_pending", "17"},
    {"worker.max_connections", "17"},
    {"worker.cwd", "/srv"},
    {"worker.umask", "0017"},
    {"worker.nofile", "1700"},
    {"worker.nice", "7"},
    {"worker.sched", "batch"},
    {"worker.nproc", "17"},
    {"worker.memlock", "unlimited"},
    {"worker.core", "17MiB"},
    {"worker.affinity", "[1, 3]"},
    {"agent.command", "['./web', '-v']"},
    {"agent.env", "{ NEW = '1' }"},
    {"agent.env_file", "a.env"},
    {"agent.protocol", "node-fork"},
    {"agent.ready", "none"},
    {"agent.drain_signal", "INT"},
    {"agent.ready_timeout", "17s"},
    {"agent.drain_timeout", "17s"},
    {"agent.kill_timeout", "17s"},
    {"agent.user", "www-data"},
    {"agent.group", ""},  // needs agent.user
    {"agent.cwd", "/srv"},
    {"agent.umask", "0017"},
    {"agent.nofile", "1700"},
    {"agent.nproc", "17"},
    {"agent.memlock", "unlimited"},
    {"agent.core", "17MiB"},
    {"agent.nice", "7"},
    {"agent.sched", "batch"},
    {"user", "www-data"},
    {"group", ""},  // needs user: see below
    {"control.mode", "0666"},
    {"control.group", "adm"},
    {"schedule.tick.name", "other"},
    {"schedule.tick.every", "17s"},
    {"schedule.tock.cron", "17 * * * *"},
    {"schedule.tick.target", "all"},
    {"schedule.tick.action", "other"},
    {"schedule.tick.data", "17"},
    {"schedule.tick.command", "['./other']"},
    {"schedule.tick.immediate", "true"},
    {"schedule.tick.overlap", "queue"},
    {"schedule.tick.timeout", "17s"},
    {"restart.limit", "17"},
    {"restart.window", "17s"},
    {"restart.backoff.first", "1700ms"},
    {"restart.backoff.max", "17s"},
    {"restart.on_giveup", "exit"},
    {"restart.giveup_retry", "17s"},
    {"reload.surge", "17"},
    {"reload.max_unavailable", "17"},
    {"reload.max_generations", "17"},
    {"reload.settle", "17s"},
    {"control.socket", "/run/other.sock"},
    {"log.level", "debug"},
    {"http.address", "127.0.0.1:9181"},
    {"messages.queue", "17MiB"},
    {"messages.policy", "drop-oldest"},
    {"log.file", "/var/log/other.log"},
    {"log.capture", "false"},
    {"log.frame", "false"},
    {"log.format", "json"},
    {"log.rotate", ""},  // needs file: see below
    {"log.keep", "17"},
    {"log.gzip", "false"},
    {"log.max_total", "17MiB"},
};

/// "KEY=VALUE" with another value for `key`.
std::string another(const Key& key) {
  if (key.table == "hooks") return "hooks." + std::string(key.name) + "=['./hook']";
  for (const auto& [path, value] : kOther) {
    const std::string table = std::string(key.table) + ".";
    const bool has_name = (key.table == "listen" || key.table == "schedule") &&
                          path.starts_with(table) && path.ends_with("." + std::string(key.name));
    if (!has_name && path != path_of(key.table, key.name)) continue;
    return value.empty() ? "" : path + "=" + value;
  }
  FAIL("give this key another value, above, and a row in config/changes.cpp: ",
       path_of(key.table, key.name));
  return "";
}

}  // namespace

TEST_CASE("every key of the list is seen to change") {
  for (const Key& key : keys()) {
    const std::string path = path_of(key.table, key.name);
    const bool is_table = find_table(path) != nullptr;
    if (is_table) continue;
    CAPTURE(path);
    const std::string set = another(key);
    if (set.empty()) continue;
    Sets sets;
    if (key.table == "agent") sets = {"agent.command=['./web']", "agent.protocol=none"};
    const Settings before = with(sets);
    sets.push_back(set);
    const Settings after = with(sets);
    Lines lines = changes(before, after);
    for (const std::string& line : cannot_change(before, after)) lines.push_back(line);
    REQUIRE_FALSE(lines.empty());
    // The value of env_file is what the files say.
    if (path == "control.group") continue;  // changes the mode as well: see below
    const std::string said = key.name == "env_file"    ? std::string(key.table) + ".env"
                             : key.table == "listen"   ? "listen "
                             : key.table == "schedule" ? "schedule "
                                                       : path;
    CHECK(lines[0].starts_with(said));
    CHECK(changes(after, after).empty());
    CHECK(cannot_change(after, after).empty());
  }
}

TEST_CASE("a change is told as what it was and what it is") {
  CHECK(changed({}, {"worker.drain_timeout=10s"}) == Lines{"worker.drain_timeout: 5s -> 10s"});
  CHECK(changed({"workers=4"}, {"workers=6"}) == Lines{"workers: 4 -> 6"});
  CHECK(changed({}, {"worker.umask=027", "worker.nice=-5", "worker.nofile=100"}) ==
        Lines{"worker.umask: clusterd's own -> 0027", "worker.nofile: clusterd's own -> 100",
              "worker.nice: clusterd's own -> -5"});
  CHECK(changed({"restart.limit=12"}, {}) == Lines{"restart.limit: 12 -> auto"});
  CHECK(changed({}, {"worker.recycle.memory=1G", "worker.recycle.jitter=0.25"}) ==
        Lines{"worker.recycle.memory: 0 -> 1GiB", "worker.recycle.jitter: 0.1 -> 0.25"});
  CHECK(changed({}, {"log.level=debug", "restart.on_giveup=exit", "log.capture=false"}) ==
        Lines{"restart.on_giveup: degrade -> exit", "log.level: info -> debug",
              "log.capture: true -> false"});
}

TEST_CASE("whom workers run as is told by the groups too") {
  CHECK(changed({}, {"user=www-data"}) ==
        Lines{"user: the user that runs clusterd -> www-data", "group: the user's own -> 33, 44"});
  CHECK(changed({"user=www-data"}, {"user=www-data", "group=adm"}) ==
        Lines{"group: 33, 44 -> 4, 33, 44"});
  CHECK(changed({"user=www-data"}, {"user=33"}).empty());
}

TEST_CASE("how what Node workers open is balanced is told") {
  CHECK(changed({"worker.protocol=node"}, {"worker.protocol=node", "worker.policy=sticky"}) ==
        Lines{"worker.policy: default -> sticky"});
}

TEST_CASE("what a server that inherits its sockets has is told") {
  const auto of = [](Sets sets) {
    sets.insert(sets.end(), {"worker.protocol=listen-fds", "listen.web.queue_timeout=0",
                             "schedule.tick.command=['./job']", "schedule.tock.command=['./job']"});
    return with(sets);
  };
  const Settings before = of({});
  CHECK(changes(before, of({"listen.web.nonblocking=false", "worker.stdin=web",
                            "worker.drain_signal=QUIT"})) ==
        Lines{"listen web: nonblocking true -> false", "worker.stdin: none -> web",
              "worker.drain_signal: TERM -> QUIT"});
  CHECK(changes(before, of({"worker.ready=notify"})) == Lines{"worker.ready: auto -> notify"});
  CHECK(
      changes(before, of({"worker.ready={ http = '/x', alive = '3s', tcp = true }"})) ==
      Lines{
          R"(worker.ready: auto -> { alive = "3s", tcp = true, http = "/x", listener = "web" })"});
  CHECK(cannot_change(before, of({"workers=2"})).empty());
  CHECK(cannot_change(with({}), before) ==
        Lines{"worker.protocol: native -> listen-fds: a reload cannot change it; it needs a stop "
              "and a start"});
}

TEST_CASE("how the log is rotated may change and not whether") {
  const Sets file = {"log.file=/var/log/x"};
  const Sets daily = {"log.file=/var/log/x", "log.rotate=daily"};
  const Sets size = {"log.file=/var/log/x", "log.rotate=100M", "log.keep=7"};
  CHECK(changed(daily, size) == Lines{"log.rotate: daily -> 100MiB", "log.keep: 31 -> 7"});
  CHECK(cannot_change(with(daily), with(size)).empty());
  CHECK(
      cannot_change(with(file), with(daily)) ==
      Lines{"log.rotate: never -> daily: a reload cannot change it; it needs a stop and a start"});
}

TEST_CASE("schedules come, go and change by their names") {
  CHECK(changed({}, {"schedule.tick.name=tack", "schedule.tock.cron=0 6 * * *"}) ==
        Lines{"schedule tick: removed", "schedule tock: cron @daily -> 0 6 * * *",
              "schedule tack: added, every 1s"});
  CHECK(changed({}, {"schedule.tick.command=['./x']"}) ==
        Lines{"schedule tick: target one -> a command",
              R"(schedule tick: command [] -> ["/etc/shop/x"])"});
}

TEST_CASE("what is the same in other words has not changed") {
  CHECK(changed({}, {}).empty());
  CHECK(changed({}, {"worker.drain_timeout=5000ms", "worker.recycle.memory=0", "hooks.exit=[]",
                     "worker.protocol=native", "workers=3", "restart.limit=auto"})
            .empty());
}

TEST_CASE("another program under the same words is a change") {
  Surroundings around = everything_is_there();
  const std::string text = kListen + "[worker]\ncommand = ['web', '-v']\n";
  const Settings before = good(text, around);
  around.path = "/opt";
  CHECK(changes(before, good(text, around)) ==
        Lines{R"(worker.command: ["web", "-v"] (/usr/bin/web) -> ["web", "-v"] (/opt/web))"});
}

TEST_CASE("listeners come, go and change by their names") {
  const auto all = [](const std::string& lines) { return good(lines + kWorker); };
  const Settings before = all(R"(
[[listen]]
name = 'http'
address = '127.0.0.1:80'
[[listen]]
name = 'admin'
address = '127.0.0.1:81'
)");
  const Settings after = all(R"(
[[listen]]
name = 'local'
address = 'unix:/run/x'
owner = 'www-data'
[[listen]]
address = 'udp://127.0.0.1:53'
[[listen]]
name = 'http'
address = '127.0.0.1:82'
policy = 'accept-race'
)");
  CHECK(changes(before, after) == Lines{"listen http: address 127.0.0.1:80 -> 127.0.0.1:82",
                                        "listen http: policy round-robin -> accept-race",
                                        "listen admin: closed",
                                        "listen local: opened on unix:/run/x",
                                        "listen udp://127.0.0.1:53: opened on udp://127.0.0.1:53"});
  CHECK(changed({}, {"listen.local.owner=root"}) ==
        Lines{"listen local: owner the user that runs clusterd -> root"});
}

TEST_CASE("a variable's value is never told") {
  const Lines lines = changed({}, {"worker.env={ TOKEN = 'hidden', NEW = 'hidden' }"});
  CHECK(lines ==
        Lines{"worker.env: GONE removed", "worker.env: NEW added", "worker.env: TOKEN changed"});
}

TEST_CASE("hooks come, go and change") {
  CHECK(changed({"hooks.exit=['./a']", "hooks.stop=['./a']"},
                {"hooks.exit=['./a', 'b']", "hooks.giveup=['./a']"}) ==
        Lines{R"(hooks.exit: ["/etc/shop/a"] -> ["/etc/shop/a", "b"])",
              R"(hooks.giveup: [] -> ["/etc/shop/a"])", R"(hooks.stop: ["/etc/shop/a"] -> [])"});
}

TEST_CASE("what a reload cannot change is told apart, with what to do") {
  const Settings before = with({});
  const Settings after = with({"name=other", "workers=9"});
  CHECK(changes(before, after) == Lines{"workers: 3 -> 9"});
  CHECK(cannot_change(before, after) ==
        Lines{"name: shop -> other: a reload cannot change it; it needs a stop and a start",
              "control.socket: /run/clusterd/shop/ctl.sock -> /run/clusterd/other/ctl.sock: a "
              "reload cannot change it; it needs a stop and a start"});
}
