#include "config/parse.h"
#include "tests/support/config_texts.h"

#include <doctest/doctest.h>

#include <chrono>
#include <string>

using namespace clusterd;
using namespace clusterd::config;
using namespace clusterd::test;
using namespace std::chrono_literals;

namespace {

const std::string kTwo =
    "[[listen]]\nname = 'http'\naddress = '127.0.0.1:80'\n"
    "[[listen]]\naddress = '[::1]:80'\n"
    "[[listen]]\nname = 'a.b'\naddress = 'unix:/run/x.sock'\n" +
    kWorker;

Settings with(const Sets& sets, const std::string& text = kTwo) {
  return good(text, surroundings(), sets);
}

/// The one mistake in an option, which starts with it.
std::string bad_set(const std::string& set) {
  const std::string start = "--set " + set + ": ";
  std::string all = bad(kTwo, surroundings(), {set});
  std::string expected = start;
  std::replace(expected.begin(), expected.end(), '"', '\'');
  CHECK(all.starts_with(expected));
  return all.starts_with(expected) ? all.substr(expected.size()) : all;
}

}  // namespace

TEST_CASE("an option sets a key of any table") {
  const Settings settings = with(
      {"workers=4", "name=web", "worker.drain_timeout=10s", "worker.max_pending=3",
       "worker.env.GREETING=hi there", "worker.command=[\"/opt/web\",\"b\"]", "worker.umask=0022",
       "restart.backoff.first=1s", "control.socket=x.sock", "log.level=warn", "worker.cwd=/srv"});
  CHECK(settings.workers == 4);
  CHECK(settings.workers_reason.empty());
  CHECK(settings.name == "web");
  CHECK(settings.worker.drain_timeout == 10s);
  CHECK(settings.worker.max_pending == 3);
  CHECK(settings.worker.env.at("GREETING") == "hi there");
  CHECK(settings.worker.command == std::vector<std::string>{"/opt/web", "b"});
  CHECK(settings.worker.program == "/opt/web");
  CHECK(settings.worker.umask == 022U);
  CHECK(settings.worker.cwd == "/srv");
  CHECK(settings.restart.backoff_first == 1s);
  CHECK(settings.control.socket == "/etc/shop/x.sock");
  CHECK(settings.log.level == LogLevel::warn);
}

TEST_CASE("an option finds a listener by its name or its address") {
  const Settings settings =
      with({"listen.http.policy=accept-race", "listen.[::1]:80.backlog=7", "listen.a.b.mode=0600",
            "listen.unix:/run/x.sock.owner=root", "listen.127.0.0.1:80.nodelay=false"});
  CHECK(settings.listen[0].policy == Policy::accept_race);
  CHECK_FALSE(settings.listen[0].nodelay);
  CHECK(settings.listen[1].backlog == 7);
  CHECK(settings.listen[2].mode == 0600);
  CHECK(settings.listen[2].owner == "root");
  CHECK(with({"listen.http.name=web", "listen.web.backlog=9"}).listen[0].backlog == 9);

  // A name goes before an address.
  const std::string crossed =
      "[[listen]]\naddress = '[::1]:80'\n"
      "[[listen]]\nname = '[::1]:80'\naddress = '[::1]:81'\n" +
      kWorker;
  CHECK(bad(crossed, surroundings(), {"listen.[::1]:80.name=b"}) == "");
}

TEST_CASE("an option takes the place of what the file says") {
  const std::string text = in_worker("env = { A = '1', B = '2' }\nmax_pending = 'x'\n");
  const Settings settings =
      with({"worker.max_pending=5", "worker.max_pending=6", "worker.env.A=3"}, text);
  CHECK(settings.worker.max_pending == 6);
  CHECK(settings.worker.env == std::map<std::string, std::string>{{"A", "3"}, {"B", "2"}});
  CHECK(with({"worker.max_pending=6", "worker.env={C=\"4\"}"}, text).worker.env ==
        std::map<std::string, std::string>{{"C", "4"}});
  CHECK(
      with({"listen=[{address=\"[::1]:9\"}]", "worker={command=[\"./web\"]}"}, "").listen.size() ==
      1);
  CHECK(with({"worker.env_file=a.env"}).worker.env.size() == 2);
  CHECK(with({"worker.env_file=[\"a.env\", \"b.env\"]"}).worker.env.size() == 3);
  CHECK(with({"worker.env_file=[]"}, in_worker("env_file = 'none'")).worker.env.empty());
  CHECK(with({"workers=auto"}, in_top("workers = 9")).workers == 3);
  CHECK(with({"workers=\"auto\""}, in_top("workers = 9")).workers == 3);
}

TEST_CASE("a string is taken as it stands") {
  const auto value = [](const std::string& text) {
    return with({"worker.env.A=" + text}).worker.env.at("A");
  };
  for (const std::string text : {"", "1", "true", "\"quoted\"", "a=b", "[1]", "a # b", "\\n", "'",
                                 "a\nb\t\x7f", "ü", " a "}) {
    CHECK(value(text) == text);
  }
}

TEST_CASE("a mistake in an option names it") {
  const std::string in_worker_table = " in [worker]; ";
  each_is_bad(
      &bad_set, "",
      {{"worker.drain_timout=10s",
        "unknown key 'drain_timout'" + in_worker_table + "did you mean 'drain_timeout'?"},
       {"drain_timeout=10s",
        "unknown key 'drain_timeout' at the top level; it belongs in [worker]"},
       {"workr.env.A=1", "unknown key 'workr' at the top level; did you mean 'worker'?"},
       {"restart.backof.first=1s", "unknown key 'backof' in [restart]; did you mean 'backoff'?"},
       {"restart.backoff.frist=1s",
        "unknown key 'frist' in restart.backoff; did you mean 'first'?"},
       {"listen.http.polcy=sticky", "unknown key 'polcy' in [[listen]]; did you mean 'policy'?"},
       {"listen.htpt.policy=sticky", "no listener is called 'htpt'; did you mean 'http'?"},
       {"listen.x.policy=sticky",
        "no listener is called 'x'; expected 'http', '[::1]:80' or 'a.b'"},
       {"listen.policy=sticky",
        "expected listen.NAME.KEY, where NAME is a listener's name or address"},
       {"name.x=1", "'name' is not a table"},
       {"worker.command.x=1", "'worker.command' is not a table"},
       {"workers", "expected KEY=VALUE"},
       {"=4", "expected KEY=VALUE"},
       {"", "expected KEY=VALUE"},
       {"worker.env.1A=x",
        "worker.env: '1A' cannot name a variable (letters, digits and _, no digit first)"},
       {"worker.env.A.B=x",
        "worker.env: 'A.B' cannot name a variable (letters, digits and _, no digit first)"},
       {"worker.env.A=\xff", "the value is not UTF-8"},
       {"workers=four", "workers: expected 'auto' or an integer from 1 to 1024, got string 'four'"},
       {"workers=0", "workers: expected 'auto' or an integer from 1 to 1024, got integer 0"},
       {"worker.max_pending=\"3\"",
        "worker.max_pending: expected an integer from 1 to 1024, got string '3'"},
       {"worker.drain_timeout=10",
        "worker.drain_timeout: expected a duration such as '5s', got string '10'"},
       {"worker.command=./web",
        "worker.command: expected an array of non-empty strings, got string './web'"},
       {"worker.command=[\"./none\"]",
        "worker.command: '/etc/shop/none': No such file or directory"},
       {"listen.http.policy=stiky",
        "unknown policy 'stiky'; expected 'round-robin', 'accept-race', "
        "'least-connections' or 'sticky'; did you mean 'sticky'?"},
       {"listen.http.mode=0600", "listen.mode: is only for a unix: address"},
       {"restart={backof=1}", "unknown key 'backof' in [restart]; did you mean 'backoff'?"}});
}

TEST_CASE("an option's value is one value and nothing more") {
  const std::string more = "worker.max_pending=1\nx = 2";
  CHECK(contains(bad(kTwo, surroundings(), {more}), "got string '1\\x0ax = 2'"));
  CHECK(bad(kTwo, surroundings(), {"log={level=\"warn\"}\n[worker]"}) ==
        "--set log={level='warn'}\\x0a[worker]: log: expected a table, got string "
        "'{level='warn'}\\x0a[worker]'");
  std::string dots;
  for (std::size_t i = 0; i < 100'000; ++i) dots += "a.";
  CHECK(contains(bad(kTwo, surroundings(), {"worker.env={" + dots + "a=1}"}), "expected a table"));
  CHECK(contains(bad(kTwo, surroundings(), {"worker.command=" + std::string(100'000, '[')}),
                 "expected an array"));
}

TEST_CASE("mistakes in options come after those in the file, and a long option is cut") {
  const std::string text = in_worker("max_pending = 0\nxxx = 1");
  const std::string all =
      bad(text, surroundings(), {"yyy=" + std::string(500, 'y'), "worker.kill_timeout=0"});
  CHECK(all.starts_with("5: worker.max_pending: "));
  CHECK(contains(all, "\n6: unknown key 'xxx'"));
  CHECK(contains(all, "\n--set yyy=" + std::string(196, 'y') + "...: unknown key 'yyy'"));
  CHECK(contains(all, "\n--set worker.kill_timeout=0: worker.kill_timeout: must be longer than"));
}

TEST_CASE("an option does not hide what the file lacks") {
  CHECK(bad(kListen, surroundings(), {"worker.max_pending=3"}) == "0: worker.command is missing");
  CHECK(bad(kWorker, surroundings(), {"listen.http.backlog=3"}) ==
        "0: [[listen]] is missing: nothing to listen on\n"
        "--set listen.http.backlog=3: no listener is called 'http'");
  // What is no table is blamed where it is.
  CHECK(bad("worker = 3\n" + kListen, surroundings(), {"worker.max_pending=3"}) ==
        "1: worker: expected a table, got integer 3");
  CHECK(bad("log = 3\n" + kGood, surroundings(), {"log.level=info"}) ==
        "1: log: expected a table, got integer 3");
  CHECK(bad("x = [", surroundings(), {"yyy=1"}).starts_with("1: "));
}
