#include "config/check_protocol.h"
#include "config/templates.h"
#include "tests/support/config_texts.h"

#include <doctest/doctest.h>

#include <chrono>
#include <csignal>
#include <string>

using namespace clusterd;
using namespace clusterd::config;
using namespace clusterd::test;
using namespace std::chrono_literals;

namespace {

/// `lines` of [worker], from line 7 on, of a server that inherits a socket "http" and one "local".
std::string fds(const std::string& lines) {
  return "[[listen]]\nname = 'http'\naddress = '127.0.0.1:80'\n"
         "[worker]\ncommand = ['./web']\nprotocol = 'listen-fds'\n" +
         lines + "\n[[listen]]\nname = 'local'\naddress = 'unix:/run/x'\n";
}
std::string bad_fds(const std::string& lines) { return bad(fds(lines)); }

}  // namespace

TEST_CASE("templates are found among other braces, and filled in") {
  const auto value = [](const Template& one) {
    return "<" + std::to_string(static_cast<int>(one.kind)) + std::string(one.listener) + ">";
  };
  CHECK(filled_in("", value).empty());
  CHECK(filled_in("{slot}", value) == "<0>");
  CHECK(filled_in("-{worker}-{fd:http}:{address:[::1]:80}{port:unix:/x}", value) ==
        "-<1>-<2http>:<3[::1]:80><4unix:/x>");
  const std::string json = R"({"slot": {"fd": 3}} {} {fd} {Slot} { slot} {fd:a {slot)";
  CHECK(filled_in(json, value) == json);
  CHECK(filled_in("{{slot}}", value) == "{<0>}");
}

TEST_CASE("a server that inherits its sockets is in an accept race, for as long as anybody waits") {
  const Settings settings = good(fds(""));
  for (const Listen& listen : settings.listen) {
    CHECK(listen.policy == Policy::accept_race);
    CHECK(listen.queue_timeout == Duration::zero());
    CHECK(listen.nonblocking);
  }
  CHECK(settings.worker.drain_signal == SIGTERM);
  CHECK(settings.worker.ready.when == Ready::When::automatic);
  CHECK(settings.worker.ready.alive == 1s);
}

TEST_CASE("what the master cannot do for such servers is refused with the reason") {
  const std::string start = "[worker]\ncommand = ['./web']\nprotocol = 'listen-fds'\n" + kListen;
  CHECK(bad(start + "policy = 'round-robin'") ==
        "6: listen.policy: with protocol = 'listen-fds' the workers accept for themselves, and the "
        "master cannot choose who gets a connection; expected 'accept-race'");
  CHECK(good(start + "policy = 'accept-race'").listen[0].policy == Policy::accept_race);
  CHECK(bad(start + "queue_timeout = '5s'") ==
        "6: listen.queue_timeout: with protocol = 'listen-fds' only the workers take connections "
        "from the queue; expected '0'");
  const std::string handed =
      "is for connections that the master hands out, and these workers accept for themselves";
  CHECK(bad_fds("max_connections = 5") == "7: worker.max_connections: " + handed);
  CHECK(bad_fds("max_pending = 5") == "7: worker.max_pending: " + handed);
  CHECK(bad_fds("stall_timeout = '5s'") == "7: worker.stall_timeout: " + handed);
  CHECK(bad_fds("recycle.requests = 5") ==
        "7: worker.recycle: requests of these workers are not known to the master");
  CHECK(good(fds("recycle = { lifetime = '1h' }")).worker.recycle.lifetime == 1h);
}

TEST_CASE("what only such servers have is refused for others") {
  const std::string only = "is only for protocol = 'listen-fds'";
  CHECK(bad_listen("nonblocking = false") == "5: listen.nonblocking: " + only);
  CHECK(bad_worker("stdin = '127.0.0.1:80'") == "5: worker.stdin: " + only);
  CHECK(bad_worker("drain_signal = 'QUIT'") == "5: worker.drain_signal: " + only + " and 'none'");
  CHECK(bad_worker("ready = 'notify'") ==
        "5: worker.ready: 'notify', 'none' and a table are for protocol = 'listen-fds' and 'none'; "
        "a native worker is ready when it calls ready()");
  CHECK(bad_worker("ready = 'message'") ==
        "5: worker.ready: 'listening' and 'message' are for protocol = 'node' and 'node-fork'; "
        "a native worker is ready when it calls ready()");
  CHECK(good(in_worker("ready = 'auto'\ndrain_signal = 'TERM'")).worker.drain_signal == SIGTERM);
}

TEST_CASE("a program without sockets needs no listener, and may have none") {
  const std::string none = kWorker + "protocol = 'none'\n";
  CHECK(good(none).listen.empty());
  CHECK(good(none + "ready = 'none'\nenv = { N = '{slot}' }").worker.ready.when ==
        Ready::When::started);
  CHECK(bad(none + kListen) ==
        "4: listen: protocol = 'none' gives its workers no sockets to listen on");
  CHECK(bad(none + "ready = { http = '/' }") ==
        "4: worker.ready: protocol = 'none' has no listener to ask on");
  CHECK(bad(none + "env = { N = '{fd:x}' }") ==
        "4: worker.env: '{fd:x}': no [[listen]] is named 'x'");
}

TEST_CASE("a worker is ready in one of several ways") {
  CHECK(good(fds("ready = 'notify'")).worker.ready.when == Ready::When::notified);
  const Ready ready = good(fds("ready = { http = '/x?y', alive = '0' }")).worker.ready;
  CHECK(ready == Ready{Ready::When::probed, 0s, false, "/x?y", "http"});
  CHECK(good(fds("ready = { tcp = true, listener = 'local' }")).worker.ready ==
        Ready{Ready::When::probed, 1s, true, "", "local"});
  each_is_bad(
      bad_fds, "7: ",
      {{"ready = 'soon'",
        "unknown way to be ready 'soon'; expected 'auto', 'listening', 'message', 'notify' or "
        "'none'"},
       {"ready = 5",
        "worker.ready: expected 'auto', 'listening', 'message', 'notify', 'none' or a table, got "
        "integer 5"},
       {"ready = { htpt = '/' }",
        "unknown key 'htpt' in worker.ready; did you mean "
        "'http'?"},
       {"ready = { http = 'x' }",
        "worker.ready.http: expected a path such as '/healthz', "
        "got string 'x'"},
       {R"(ready = { http = "/\r\nX: y" })",
        "worker.ready.http: expected a path such as "
        "'/healthz', got string '/\\x0d\\x0aX: y'"},
       {"ready = { http = '/', listener = 'htp' }",
        "worker.ready: no [[listen]] is named 'htp'; did you mean 'http'?"},
       {"ready = { listener = 'http' }",
        "worker.ready.listener: is only for http or tcp, and neither is asked for"}});
}

TEST_CASE("names in templates and of stdin are those of listeners") {
  CHECK(good(fds("stdin = 'local'")).worker.stdin_listener == "local");
  each_is_bad(
      bad_fds, "7: ",
      {{"stdin = 'lokal'",
        "worker.stdin: no [[listen]] is named 'lokal'; did you mean "
        "'local'?"},
       {"env = { A = 'x{fd:htpt}' }",
        "worker.env: '{fd:htpt}': no [[listen]] is named "
        "'htpt'; did you mean 'http'?"},
       {"env = { A = '{port:local}' }", "worker.env: '{port:local}': a unix: address has no port"},
       {"drain_signal = 'KILL'",
        "unknown signal 'KILL'; expected 'TERM', 'QUIT', 'INT', 'HUP', 'USR1', 'USR2' or "
        "'WINCH'"}});
  CHECK(good(fds("env = { A = '{fd:http}{address:local}{slot}', B = '{\"fd:x\"}' }"))
            .worker.env.size() == 2);
}

TEST_CASE("a reload goes between protocols unless a listener would have two kinds of owners") {
  using P = Protocol;
  for (const P one : {P::native, P::node, P::node_fork}) {
    CHECK_FALSE(may_follow(one, P::listen_fds));
    CHECK_FALSE(may_follow(P::listen_fds, one));
    CHECK(may_follow(one, P::none));
    CHECK(may_follow(P::native, one));
  }
  CHECK(may_follow(P::listen_fds, P::none));
  CHECK(may_follow(P::listen_fds, P::listen_fds));
}
