#include "config/defaults.h"
#include "config/known_programs.h"
#include "config/parse.h"
#include "tests/support/config_summary.h"
#include "tests/support/config_texts.h"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

using namespace clusterd;
using namespace clusterd::config;
using namespace clusterd::test;
using namespace std::chrono_literals;

TEST_CASE("a short app.conf gets the defaults") {
  CHECK(summary(good(kGood)) ==
        "/etc/shop/shop.conf /etc/shop shop 3 (3 CPUs in the affinity mask)\n"
        "127.0.0.1:80 127.0.0.1:80 nodelay 0ms v6only 0 4096 30000ms\n"
        "/etc/shop/web: ./web\n"
        "30000ms 5000ms 5000ms 1000ms 30000ms 0ms 16 0\n"
        "0 0 0.1 /etc/shop sched 0\n"
        "100ms 10000ms 0 60000ms 0 60000ms\n"
        "1 0 3 1000ms\n"
        "/run/clusterd/shop/ctl.sock 2 11 1048576 0 600");
}

TEST_CASE("every key is read") {
  CHECK(summary(good(R"(
name = 'Web-1.x_y'
workers = 1024
control.socket = 'run/ctl.sock'
log = { level = 'debug', capture = false, frame = false }
messages = { queue = '128KiB', policy = 'drop-oldest' }
http.address = '[::1]:9180'
hooks.exit = ['./web', 'x']
reload = { surge = 2, max_unavailable = 1, max_generations = 4, settle = '2s' }
[[listen]]
name = 'http'
address = '[::1]:8080'
policy = 'accept-race'
backlog = 65535
queue_timeout = '0'
nodelay = false
defer_accept = '2s'
v6only = false
[[listen]]
address = '0.0.0.0:0'
policy = 'round-robin'
[[listen]]
name = 'local'
address = 'unix:run/http.sock'
policy = 'least-connections'
mode = '0600'
owner = 'www-data'
group = '33'
[[listen]]
address = 'udp://[::1]:53'
[worker]
command = ['/opt/web', '--port', 'ü']
env = { KEY = 'value', _a1 = '' }
env_file = 'a.env'
protocol = 'native'
ready_timeout = '10m'
drain_timeout = '2h'
kill_timeout = '250ms'
stall_timeout = '1d'
heartbeat_timeout = '1m'
recycle = { requests = 5, lifetime = '1h', memory = '1GiB', jitter = 0.5 }
max_pending = 1024
max_connections = 1000000
cwd = '/srv'
umask = '027'
nofile = 65536
nice = -20
sched = 'batch'
[restart]
backoff = { first = '1s', max = '1s' }
limit = 5
window = '2m'
on_giveup = 'exit'
giveup_retry = '30s'
)")) == "/etc/shop/shop.conf /etc/shop Web-1.x_y 1024 ()\n"
        "http [::1]:8080 delay 2000ms v4too 1 65535 0ms\n"
        "0.0.0.0:0 0.0.0.0:0 nodelay 0ms v6only 0 4096 30000ms\n"
        "local /etc/shop/run/http.sock 600 <www-data> <33> 2 4096 30000ms\n"
        "udp://[::1]:53 udp [::1]:53 nodelay 0ms v6only 1 4096 30000ms\n"
        "/opt/web: /opt/web --port ü A=1 B=1 KEY=value _a1=\n"
        "600000ms 7200000ms 250ms 86400000ms 60000ms 3600000ms 1024 1000000\n"
        "5 1073741824 0.5 /srv umask 27 nofile 65536 nice -20 sched 1\n"
        "1000ms 1000ms 5 120000ms 1 30000ms\n"
        "2 1 4 2000ms\n"
        "/etc/shop/run/ctl.sock 1 00 131072 1 [::1]:9180 600\n"
        "exit: /etc/shop/web x");
}

TEST_CASE("the other ways to write a table mean the same") {
  const Settings settings = good(R"(worker.command = ['./web']
worker.env.KEY = 'value'
listen = [{ address = '127.0.0.1:80' }, { address = '127.0.0.1:81' }]
restart.backoff.max = '3s'
)");
  CHECK(settings.listen.size() == 2);
  CHECK(settings.worker.env.at("KEY") == "value");
  CHECK(settings.restart.backoff_first == 100ms);
  CHECK(settings.restart.backoff_max == 3s);
  CHECK(good("\xef\xbb\xbf" + kGood).name == "shop");
}

TEST_CASE("the example app.conf is right") {
  const std::filesystem::path folder(CLUSTERD_SOURCE_DIR);
  const auto content = read_file(folder / "config/app.conf", 1U << 16U);
  REQUIRE(content.has_value());
  Surroundings around = surroundings("/src/config/app.conf");
  around.why_not_executable = [](const std::string&) { return std::string(); };
  around.why_not_folder = around.why_not_executable;
  around.read_file = [](const std::string&, std::size_t) { return Result<std::string>("A=1"); };
  const Settings settings = good(*content, around);
  CHECK(settings.name == "app");
  CHECK(settings.workers_reason == around.cpus_reason);
  REQUIRE(settings.listen.size() == 1);
  CHECK(settings.listen[0].name == "http");
  CHECK(settings.listen[0].address.text() == "127.0.0.1:8080");
  CHECK(settings.worker.program == "/src/build/release/examples/http-worker");

  SUBCASE("with every key in use as well") {
    std::string all = *content;
    std::istringstream keys(
        "name,backlog,env,protocol,ready_timeout,drain_timeout,kill_timeout,"
        "stall_timeout,max_pending,[restart],backoff,[control],socket,[log],level,"
        "queue_timeout,nodelay,defer_accept,env_file,max_connections,cwd,umask,nofile,"
        "nice,sched,heartbeat_timeout,recycle,limit,window,on_giveup,giveup_retry,"
        "[reload],surge,max_unavailable,max_generations,settle,capture,frame,[http],"
        "address,[hooks],giveup =,[agent],command,user,ready_timeout,drain_timeout,"
        "kill_timeout,[[schedule]],name,every,target,data,immediate,overlap,timeout,"
        "[messages],queue =,policy,format,file,rotate,keep,gzip,max_total");
    for (std::string key; std::getline(keys, key, ',');) {
      const std::string mark = "# " + key;
      CAPTURE(mark);
      const std::size_t at = all.find("\n" + mark);
      REQUIRE(at != std::string::npos);
      all.erase(at + 1, 2);
    }
    CHECK(good(all, around).control.socket == "/src/config/ctl.sock");
  }
}

TEST_CASE("the workers' number is auto or a number") {
  CHECK(good(in_top("workers = 'auto'")).workers == 3);
  CHECK(good(in_top("workers = 1")).workers == 1);
  Surroundings many = surroundings();
  many.cpus = 5000;
  CHECK(good(kGood, many).workers == 1024);
  each_is_bad(bad_top, "1: workers: expected 'auto' or an integer from 1 to 1024, got ",
              {{"workers = 0", "integer 0"},
               {"workers = 1025", "integer 1025"},
               {"workers = -9223372036854775808", "integer -9223372036854775808"},
               {"workers = '4'", "string '4'"},
               {"workers = 1.5", "a number with a fraction"},
               {"workers = true", "boolean true"},
               {"workers = []", "an array"},
               {"workers = {}", "a table"},
               {"workers = 2020-01-01", "a date or time"}});
}

TEST_CASE("the name is fit for the name of a folder") {
  const std::string a64(64, 'a');
  CHECK(good(in_top("name = '" + a64 + "'")).name == a64);
  const std::string rule =
      "expected 1 to 64 of A-Z a-z 0-9 . _ -, the first of them not a dot, got ";
  each_is_bad(bad_top, "1: name: ",
              {{"name = ''", rule + "string ''"},
               {"name = '..'", rule + "string '..'"},
               {"name = 'a/b'", rule + "string 'a/b'"},
               {"name = 'a b'", rule + "string 'a b'"},
               {"name = 'ü'", rule + "string 'ü'"},
               {"name = 'a" + a64 + "'", rule + "string '" + std::string(60, 'a') + "...'"},
               {"name = 1", "expected a string, got integer 1"},
               {R"(name = "a\u0000b")", "contains a NUL byte"}});
}

TEST_CASE("without a name the file's stem must do") {
  CHECK(good(kGood, surroundings("/etc/shop/web.v2.conf")).name == "web.v2");
  CHECK(good(kGood, surroundings("/etc/shop/web")).name == "web");
  CHECK(good(in_top("name = 'web'"), surroundings("/etc/shop/.conf")).name == "web");
  CHECK(bad(kGood, surroundings("/etc/shop/my web.conf")) ==
        "0: the file's stem 'my web' cannot be the cluster's name (1 to 64 of A-Z a-z 0-9 . _ -, "
        "the first of them not a dot); set name");
}

TEST_CASE("an unknown key gets the nearest of its table, or all of them") {
  each_is_bad(
      bad_top, "2: unknown key ",
      {{"\nworkrs = 1", "'workrs' at the top level; did you mean 'workers'?"},
       {"\n\"list\\u001ben\" = 1", "'list\\x1ben' at the top level; did you mean 'listen'?"}});
  each_is_bad(bad_listen, "5: unknown key ",
              {{"adress = 1", "'adress' in [[listen]]; did you mean 'address'?"},
               {"max_pending = 1", "'max_pending' in [[listen]]; it belongs in [worker]"},
               {"zzz = 1",
                "'zzz' in [[listen]]; expected 'name', 'address', 'policy', 'backlog', "
                "'queue_timeout', 'nonblocking', 'nodelay', 'defer_accept', 'v6only', "
                "'mode', 'owner' or 'group'"}});
  each_is_bad(
      bad_worker, "6: unknown key ",
      {{"\ncomand = 1", "'comand' in [worker]; did you mean 'command'?"},
       {"[log]\nzzz = 'x'",
        "'zzz' in [log]; expected 'level', 'format', 'file', 'capture', 'frame', 'rotate', 'keep', "
        "'gzip' or 'max_total'"},
       {"[restart]\nlevel = 'info'", "'level' in [restart]; it belongs in [log]"},
       {"\nworkers = 2", "'workers' in [worker]; it belongs at the top level"},
       {"\nname = 'x'",  // in more than one table
        "'name' in [worker]; expected 'command', 'env', 'env_file', 'protocol', "
        "'stdin', 'ready', 'drain_signal', 'policy', 'ready_timeout', 'drain_timeout', "
        "'kill_timeout', "
        "'stall_timeout', 'heartbeat_timeout', 'recycle', "
        "'max_pending', 'max_connections', "
        "'cwd', 'umask', 'nofile', 'nproc', 'memlock', 'core', 'nice', 'sched' or 'affinity'"},
       {"[restart]\nbackoff.frist = '1s'", "'frist' in restart.backoff; did you mean 'first'?"},
       {"[control]\nsokcet = 1", "'sokcet' in [control]; did you mean 'socket'?"},
       {"[log]\nlevle = 1", "'levle' in [log]; did you mean 'level'?"}});
}

TEST_CASE("a worker's command is an array of words") {
  const std::string words = "worker.command: expected an array of non-empty strings, got ";
  CHECK(bad(kListen) == "0: [worker] is missing: nothing to run");
  CHECK(bad("worker = 3\n" + kListen) == "1: worker: expected a table, got integer 3");
  CHECK(bad(with_worker("")) == "3: worker.command is missing");
  CHECK(bad(with_worker("command = ['./web',\n1,\n'']")) ==
        "5: " + words + "integer 1\n6: " + words + "string ''");
  each_is_bad([](const std::string& text) { return bad(with_worker("command = " + text)); }, "4: ",
              {{"[]", "worker.command: is empty: nothing to run"},
               {"'./web'", words + "string './web'"},
               {"['']", words + "string ''"},
               {R"(['./web', "a\u0000"])", "worker.command: contains a NUL byte"}});
}

TEST_CASE("a worker's program is a file that can be executed") {
  const auto program = [](const std::string& word) {
    return good(with_worker("command = ['" + word + "']")).worker.program;
  };
  CHECK(program("./web") == "/etc/shop/web");
  CHECK(program("../bin/web") == "/etc/bin/web");
  CHECK(program("./../../opt/web") == "/opt/web");
  CHECK(program("a/../web") == "/etc/shop/a/../web");
  CHECK(program("/opt/web") == "/opt/web");
  CHECK(program("server") == "/usr/local/bin/server");
  each_is_bad(
      [](const std::string& word) { return bad(with_worker("command = [\n" + word + "]")); },
      "5: worker.command: ",
      {{"'bin/web'", "'/etc/shop/bin/web': No such file or directory"},
       {"'/usr/bin/server'", "'/usr/bin/server': is not executable"},
       {"'web'", "no executable file 'web' in PATH (/usr/bin::bin:/usr/local/bin/)"}});
}

TEST_CASE("a worker's environment is checked") {
  const std::string rule = "' cannot name a variable (letters, digits and _, no digit first)";
  each_is_bad(bad_worker, "5: worker.env",
              {{"env = 1", ": expected a table, got integer 1"},
               {"env = { A = 1 }", ".A: expected a string, got integer 1"},
               {"env.A.B = 'x'", ".A: expected a string, got a table"},
               {R"(env = { A = "a\u0000" })", ".A: contains a NUL byte"},
               {"env = { 1A = 'x' }", ": '1A" + rule},
               {"env = { 'A=B' = 'x' }", ": 'A=B" + rule},
               {"env = { '' = 'x' }", ": '" + rule},
               {"env = { CLUSTERD_X = '1' }", ": 'CLUSTERD_X': CLUSTERD_ names are for clusterd"}});
  CHECK(bad_worker("[worker.env]\nA = 'x'\n1A = 'x'") == "7: worker.env: '1A" + rule);
}

TEST_CASE("a worker's protocol is one of a list, or known by its program") {
  CHECK(good(in_worker("protocol = 'auto'")).worker.protocol == Protocol::native);
  CHECK(good(in_worker("protocol = 'node-fork'")).worker.protocol == Protocol::node_fork);
  CHECK(good(kWorker + "protocol = 'none'").worker.protocol == Protocol::none);
  for (const char* program : {"node", "/usr/bin/node", "nodejs"}) {
    CHECK(protocol_of(std::vector<std::string>{program, "x.js"}) == Protocol::node);
  }
  for (const char* program : {"gunicorn", "/x/uvicorn", "php-fpm8.2", "haproxy"}) {
    CHECK(protocol_of(std::vector<std::string>{program}) == Protocol::listen_fds);
  }
  for (const char* program : {"./server", "nodemon", "/opt/node/server"}) {
    CHECK(protocol_of(std::vector<std::string>{program}) == Protocol::native);
  }
  const std::vector<std::string> by_env = {"/usr/bin/env", "A=1", "node", "x.js"};
  CHECK(protocol_of(by_env) == Protocol::node);
  CHECK(protocol_of(std::vector<std::string>{"env", "A=1"}) == Protocol::native);
  for (const char* line : {"#!/usr/bin/env node", "#!/usr/bin/node --inspect", "#! /opt/bin/node\r",
                           "#!/usr/bin/env -S node --import=x"}) {
    CHECK(is_for_node(line));
  }
  for (const char* line : {"", "#!", "node", "#!/bin/sh", "#!/usr/bin/env nodejunk",
                           "#!/opt/node/sh", "#!/usr/bin/env python3 # node2"}) {
    CHECK(!is_for_node(line));
  }
  const std::string wanted =
      "expected 'native', 'node', 'node-fork', 'listen-fds', 'none' or 'auto'";
  CHECK(bad_worker("protocol = 'natvie'") ==
        "5: unknown protocol 'natvie'; " + wanted + "; did you mean 'native'?");
  CHECK(bad_worker("protocol = []") == "5: worker.protocol: " + wanted + ", got an array");
}

TEST_CASE("what the master does not know of Node workers is not to be had") {
  for (const std::string node : {"protocol = 'node'\n", "protocol = 'node-fork'\n"}) {
    CHECK(bad_worker(node + "recycle = { requests = 5 }") ==
          "6: worker.recycle: requests of Node workers are not known to the master");
    CHECK(bad_worker(node + "max_connections = 5").find("set server.maxConnections") !=
          std::string::npos);
    CHECK(bad_worker(node + "ready = 'notify'")
              .ends_with("expected 'auto', 'listening' or 'message'"));
  }
  const std::string only = "5: worker.policy: is only for protocol = 'node'";
  CHECK(bad_worker("policy = 'accept-race'").starts_with(only));
  CHECK(good(in_worker("policy = 'round-robin'")).worker.policy == Policy::round_robin);
  CHECK(good(in_worker("protocol = 'node'\npolicy = 'sticky'")).worker.policy == Policy::sticky);
}

TEST_CASE("variables that clusterd sets are not for app.conf") {
  for (const std::string name : {"LISTEN_PID", "NODE_UNIQUE_ID", "NOTIFY_SOCKET"}) {
    CHECK(bad_worker("env = { " + name + " = '1' }").ends_with("is for clusterd to set"));
  }
}

TEST_CASE("what cannot be a worker says so, and what to write instead") {
  const auto why = [](Protocol protocol, const std::vector<std::string>& command) {
    return why_not_started(protocol, command);
  };
  CHECK(why(Protocol::native, {"npm", "start"}).starts_with("npm would be the worker"));
  CHECK(why(Protocol::node, {"/usr/bin/yarn"}).starts_with("yarn would be the worker"));
  CHECK(why(Protocol::native, {"bun", "x.js"}).starts_with("bun takes no connections"));
  CHECK(why(Protocol::none, {"npm", "start"}).empty());
  CHECK(why(Protocol::native, {"env", "npm", "start"}).starts_with("npm would be the worker"));
  CHECK(why(Protocol::native, {"deno", "run"}).starts_with("deno takes no connections"));
  CHECK(why(Protocol::node, {"node", "-r", "./x.js", "-e", "1"}).find("a file") !=
        std::string::npos);
  CHECK(why(Protocol::node, {"node"}).find("a file") != std::string::npos);
  CHECK(why(Protocol::node, {"./server.js"}).empty());
  for (const char* eval : {"-e", "--eval", "-p", "--eval=1", "-"}) {
    CHECK(why(Protocol::node, {"node", "--inspect", eval, "1"}).find("a file") !=
          std::string::npos);
  }
  CHECK(why(Protocol::node, {"node", "--inspect", "x.js", "-e"}).empty());
  CHECK(why(Protocol::node, {"node", "-r", "./x.js", "server.js"}).empty());
}

TEST_CASE("a duration is a number with a unit") {
  const auto drain = [](const std::string& text) { return "drain_timeout = '" + text + "'"; };
  const std::string expected = "5: worker.drain_timeout: expected a duration such as '5s', got ";
  CHECK(bad_worker("drain_timeout = 5") == expected + "integer 5");
  CHECK(bad_worker("drain_timeout = 5.0") == expected + "a number with a fraction");
  for (const std::string text : {"", "5", "s", "-5s", "+5s", "5 s", " 5s", "5s ", "1.5s", "5S",
                                 "1h30m", "5us", "0x5s", "five", "00"}) {
    CHECK(bad_worker(drain(text)) == expected + "string '" + text + "'");
  }
  for (const std::string text : {"31d", "721h", "2592000001ms", "18446744073709551616d",
                                 "99999999999999999999999ms", "9223372036854775807s"}) {
    CHECK(bad_worker(drain(text)) ==
          "5: worker.drain_timeout: '" + text + "' is longer than 30 days");
  }
  CHECK(good(in_worker(drain("007s"))).worker.drain_timeout == 7s);
  CHECK(good(in_worker(drain("30d"))).worker.drain_timeout == 720h);
  CHECK(good(in_worker(drain("2592000000ms"))).worker.drain_timeout == 720h);
}

TEST_CASE("zero is a duration only where it makes sense") {
  for (const std::string zero : {"0", "0s", "0ms", "00d"}) {
    const std::string value = " = '" + zero + "'";
    CHECK(good(in_worker("drain_timeout" + value)).worker.drain_timeout == 0s);
    CHECK(good(in_worker("stall_timeout" + value)).worker.stall_timeout == 0s);
    const std::string refused = ": must be longer than '" + zero + "'";
    each_is_bad(bad_worker, "6: ",
                {{"\nready_timeout" + value, "worker.ready_timeout" + refused},
                 {"\nkill_timeout" + value, "worker.kill_timeout" + refused},
                 {"[restart]\nbackoff.first" + value, "restart.backoff.first" + refused},
                 {"[restart]\nbackoff.max" + value, "restart.backoff.max" + refused}});
  }
}

TEST_CASE("a worker's numbers are in their bounds") {
  each_is_bad(bad_worker, "5: worker.max_pending: expected an integer from 1 to 1024, got ",
              {{"max_pending = 0", "integer 0"},
               {"max_pending = 1025", "integer 1025"},
               {"max_pending = 4294967297", "integer 4294967297"}});
  const auto range = [](const std::string& low, const std::string& high) {
    return ": expected an integer from " + low + " to " + high + ", got integer ";
  };
  each_is_bad(bad_worker, "5: worker.",
              {{"max_connections = -1", "max_connections" + range("0", "1000000") + "-1"},
               {"max_connections = 1000001", "max_connections" + range("0", "1000000") + "1000001"},
               {"nofile = 63", "nofile" + range("64", "1000000000") + "63"},
               {"nice = -21", "nice" + range("-20", "19") + "-21"},
               {"nice = 20", "nice" + range("-20", "19") + "20"}});
  const Worker worker = good(in_worker("nofile = 64\nnice = 0")).worker;
  CHECK(worker.nofile == 64);
  CHECK(worker.nice == 0);
  CHECK_FALSE(worker.umask.has_value());
  CHECK(bad_worker("sched = 'fifo'") ==
        "5: unknown scheduling policy 'fifo'; expected 'other' or 'batch'");
}

TEST_CASE("a umask is octal") {
  const auto umask = [](const std::string& text) { return "umask = " + text; };
  const std::string expected = "5: worker.umask: expected an octal string such as '0660', got ";
  CHECK(good(in_worker(umask("'0777'"))).worker.umask == 0777U);
  CHECK(good(in_worker(umask("'0'"))).worker.umask == 0U);
  CHECK(bad_worker(umask("22")) == expected + "integer 22");
  for (const std::string text :
       {"", "8", "01000", "00022", "1000", "0o22", "-1", "+1", " 22", "2x"}) {
    CHECK(bad_worker(umask("'" + text + "'")) == expected + "string '" + text + "'");
  }
}

TEST_CASE("a worker's folder is there") {
  const auto folder = [](const std::string& path) {
    return good(in_worker("cwd = '" + path + "'")).worker.cwd;
  };
  CHECK(good(kGood).worker.cwd == "/etc/shop");
  CHECK(folder(".") == "/etc/shop");
  CHECK(folder("run") == "/etc/shop/run");
  CHECK(folder("../../srv") == "/srv");
  each_is_bad(bad_worker, "5: worker.cwd: ",
              {{"cwd = 'none'", "'/etc/shop/none': No such file or directory"},
               {"cwd = ''", "expected a path, got string ''"},
               {"cwd = 1", "expected a path, got integer 1"}});
}

TEST_CASE("the back-off does not shrink") {
  const std::string shrinks = ".backoff: first is longer than max (defaults: '100ms' and '10s')";
  each_is_bad(bad_worker, "6: restart",
              {{"[restart]\nbackoff = { first = '2s', max = '1s' }", shrinks},
               {"[restart]\nbackoff = { first = '11s' }", shrinks},
               {"[restart]\nbackoff = { max = '99ms' }", shrinks},
               {"[restart]\nbackoff = '1s'", ".backoff: expected a table, got string '1s'"},
               {"[restart.backoff]\nfirst = 1\nmax = '1ms'",
                ".backoff.first: expected a duration such as '5s', got integer 1"}});
  CHECK(bad_top("restart = 1") == "1: restart: expected a table, got integer 1");
}

TEST_CASE("the control socket's path fits into an address") {
  const auto socket = [](const std::string& path) {
    return in_worker("[control]\nsocket = '" + path + "'");
  };
  CHECK(good(socket("../x.sock")).control.socket == "/etc/x.sock");
  CHECK(good(socket("/" + std::string(106, 'a'))).control.socket.size() == 107);
  const std::string a108 = "/" + std::string(107, 'a');
  CHECK(bad(socket(a108)) ==
        "6: control.socket: '" + a108 + "' has 108 bytes; a socket's path may have 107");
  CHECK(bad(socket("")) == "6: control.socket: expected a path, got string ''");
  CHECK(bad_worker("[control]\nsocket = 1") == "6: control.socket: expected a path, got integer 1");
  CHECK(bad_top("control = 1") == "1: control: expected a table, got integer 1");

  Surroundings deep = surroundings();
  deep.control_root = "/" + std::string(100, 'r');
  CHECK(bad(kGood, deep).starts_with("0: control.socket: '/rrr"));
  CHECK(bad(in_top("\nname = 'web'"), deep).starts_with("2: control.socket: '/rrr"));
}
