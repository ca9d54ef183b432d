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

/// What is wrong with an address, in a basic string of TOML.
std::string bad_address(const std::string& text) {
  return bad(with_listen("[[listen]]\naddress = \"" + text + "\""));
}

Listen listener(const std::string& lines) {
  const Settings settings = good(with_listen("[[listen]]\n" + lines));
  REQUIRE(settings.listen.size() == 1);
  return settings.listen[0];
}

}  // namespace

TEST_CASE("a listener's address is of a form that this version has") {
  const std::string wanted =
      "expected '127.0.0.1:8080', '[::1]:8080', 'udp://127.0.0.1:5353', 'unix:/path' or "
      "'systemd:NAME'";
  each_is_bad(&bad_address, "2: listen.address: ",
              {{"127.0.0.1\\u0000x:80", "contains a NUL byte"},
               {std::string(100, '1'), wanted + ", got string '" + std::string(60, '1') + "...'"}});
  CHECK(contains(bad_address("localhost:80"), "'localhost' is not an IPv4 address"));
  CHECK(contains(bad_address("127.0.0.1"), "no port"));
  CHECK(contains(bad_address("127.0.0.1:65536"), "the port is not a number"));
  CHECK(contains(bad_address("a\\nb:1"), "a\\x0ab"));
  CHECK(contains(bad_address("udp://localhost:53"), "'localhost' is not an IPv4 address"));
  CHECK(contains(bad_address("udp://"), "no port"));
  each_is_bad([](const std::string& text) { return bad(with_listen(text)); }, "2: listen.address",
              {{"[[listen]]\naddress = 80", ": " + wanted + ", got integer 80"},
               {"\n[[listen]]\nname = 'http'", " is missing"}});
}

TEST_CASE("a systemd: address is a name, and the rest is the socket unit's") {
  const Listen listen = listener("address = 'systemd:http'");
  CHECK(listen.kind == Listen::Kind::passed);
  CHECK(listen.path == "http");
  CHECK(listen.name == "systemd:http");
  CHECK(listener("address = 'systemd:clusterd@a\\x2db.socket'").path == "clusterd@a\\x2db.socket");
  CHECK(listener("address = 'systemd:dns'\npolicy = 'accept-race'").policy == Policy::accept_race);
  CHECK(listener("address = 'systemd:web'\nqueue_timeout = '0'").queue_timeout == Duration::zero());
  CHECK(contains(bad_address("systemd:"), "expected 'systemd:' and 1 to 64"));
  CHECK(contains(bad_address("systemd:a b"), "expected 'systemd:' and 1 to 64"));
  CHECK(contains(bad_address("systemd:a:b"), "expected 'systemd:' and 1 to 64"));
  for (const std::string key :
       {"backlog = 5", "nodelay = true", "mode = '0600'", "v6only = true"}) {
    CAPTURE(key);
    CHECK(contains(bad(with_listen("[[listen]]\naddress = 'systemd:http'\n" + key)),
                   "of a passed socket the socket unit says it"));
  }
  CHECK(contains(bad(with_listen("[[listen]]\naddress = 'systemd:a'\nname = 'x'\n"
                                 "[[listen]]\naddress = 'systemd:a'\nname = 'y'")),
                 "'systemd:a' is there twice"));
}

TEST_CASE("a unix: address is a path that fits") {
  const Listen listen = listener("address = 'unix:/run/x.sock'");
  CHECK(listen.kind == Listen::Kind::unix_socket);
  CHECK(listen.path == "/run/x.sock");
  CHECK(listen.name == "unix:/run/x.sock");
  CHECK(listen.mode == 0660);
  CHECK(listener("address = 'unix:x.sock'").path == "/etc/shop/x.sock");
  CHECK(listener("address = 'unix:../x.sock'").path == "/etc/x.sock");

  const std::string a107 = "/" + std::string(106, 'a');
  CHECK(listener("address = 'unix:" + a107 + "'").path == a107);
  const std::string wanted = "expected 'unix:/path', got ";
  each_is_bad(
      &bad_address, "2: listen.address: ",
      {{"unix:" + a107 + "a", "'" + a107 + "a' has 108 bytes; a socket's path may have 107"},
       {"unix:" + std::string(100, 'a'),
        "'/etc/shop/" + std::string(100, 'a') + "' has 110 bytes; a socket's path may have 107"},
       {"unix:", wanted + "'unix:'"},
       {"unix:/run/", wanted + "'unix:/run/'"},
       {"unix:/a\\nb", wanted + "'unix:/a\\x0ab'"},
       {"unix:@x",
        "'unix:@x': an abstract socket has no permissions, so that everybody on "
        "this machine could connect; expected 'unix:/path'"}});
}

TEST_CASE("a udp:// address has the accept race alone") {
  const Listen listen = listener("address = 'udp://127.0.0.1:5353'");
  CHECK(listen.kind == Listen::Kind::udp);
  CHECK(listen.address.text() == "127.0.0.1:5353");
  CHECK(listen.name == "udp://127.0.0.1:5353");
  CHECK(listen.policy == Policy::accept_race);
  CHECK(listener("address = 'udp://[::1]:53'\npolicy = 'accept-race'").address.is_v6());
  for (const std::string policy : {"round-robin", "least-connections", "sticky"}) {
    CHECK(bad(with_listen("[[listen]]\naddress = 'udp://[::1]:53'\npolicy = '" + policy + "'")) ==
          "3: listen.policy: a udp:// address has no connections that the master could accept and "
          "hand out; expected 'accept-race'");
  }
  CHECK(contains(bad(with_listen("[[listen]]\naddress = 'udp://[::1]:53'\npolicy = 'x'")),
                 "3: unknown policy 'x'"));
}

TEST_CASE("a key that the address has no use for is a mistake") {
  const auto only = [](const std::string& address, const std::string& line) {
    return bad(with_listen("[[listen]]\naddress = '" + address + "'\n" + line));
  };
  const std::string v4 = "127.0.0.1:80";
  const std::string local = "unix:/run/x";
  const std::string udp = "udp://[::1]:53";
  CHECK(only(v4, "mode = '0600'") == "3: listen.mode: is only for a unix: address");
  CHECK(only(v4, "owner = 'a'") == "3: listen.owner: is only for a unix: address");
  CHECK(only(udp, "group = 'a'") == "3: listen.group: is only for a unix: address");
  CHECK(only(v4, "v6only = true") == "3: listen.v6only: is only for an IPv6 address");
  CHECK(only(local, "v6only = true") == "3: listen.v6only: is only for an IPv6 address");
  CHECK(only(local, "nodelay = true") == "3: listen.nodelay: is only for a TCP address");
  CHECK(only(udp, "defer_accept = '1s'") == "3: listen.defer_accept: is only for a TCP address");
  CHECK(only(udp, "backlog = 1") == "3: listen.backlog: is only for a TCP or unix: address");
  CHECK(only(udp, "queue_timeout = '0'") ==
        "3: listen.queue_timeout: is only for a TCP or unix: address");
  CHECK(only(local, "policy = 'sticky'") ==
        "3: listen.policy: the clients of a unix: address have no address to be told apart by");
  // What the address is must be known.
  CHECK_FALSE(contains(only("x", "mode = '0600'"), "only for"));
  CHECK(listener("address = 'udp://[::1]:53'\nv6only = false").v6only == false);
}

TEST_CASE("there is at least one listener, and each is a table") {
  CHECK(bad(kWorker) == "0: [[listen]] is missing: nothing to listen on");
  CHECK(bad("\nlisten = []\n" + kWorker) == "2: listen: is empty: nothing to listen on");
  const std::string expected = "listen: expected [[listen]], an array of tables, got ";
  CHECK(bad(with_listen("[listen]\naddress = '127.0.0.1:80'")) == "1: " + expected + "a table");
  CHECK(bad("listen = [\n1,\n'x']\n" + kWorker) ==
        "2: " + expected + "integer 1\n3: " + expected + "string 'x'");

  // The page that master and worker share has a place for each.
  const auto many = [](int count) {
    std::string text;
    for (int i = 1; i <= count; ++i) {
      text += "[[listen]]\naddress = '[::1]:" + std::to_string(i) + "'\n";
    }
    return with_listen(text);
  };
  CHECK(good(many(64)).listen.size() == 64);
  CHECK(bad(many(65)) == "1: listen: 65 listeners; there may be 64");
}

TEST_CASE("two listeners share neither name nor address") {
  const std::string first = "[[listen]]\nname = 'a'\naddress = '[::1]:80'\n[[listen]]\n";
  const std::string zero = "[[listen]]\naddress = '127.0.0.1:0'\n";
  CHECK(good(with_listen(first + "name = 'b'\naddress = '[::]:80'")).listen.size() == 2);
  CHECK(good(with_listen(zero + zero + "name = 'b'")).listen.size() == 2);
  CHECK(bad(with_listen(first + "name = 'b'\naddress = '[0:0::1]:80'")) ==
        "6: listen.address: '[::1]:80' is there twice");
  const auto twice = [](const std::string& name) {
    return ": listen.name: two listeners are named '" + name + "'; give each its own name";
  };
  CHECK(bad(with_listen(first + "name = 'a'\naddress = '[::1]:81'")) == "5" + twice("a"));
  CHECK(bad(with_listen(zero + zero)) == "4" + twice("127.0.0.1:0"));
  CHECK(good(with_listen(first + "address = 'udp://[::1]:80'")).listen.size() == 2);
  CHECK(bad(with_listen("[[listen]]\naddress = 'unix:/etc/shop/x'\n"
                        "[[listen]]\naddress = 'unix:x'")) ==
        "4: listen.address: 'unix:/etc/shop/x' is there twice");
  CHECK(bad(with_listen(first + "name = '[::1]:81'\naddress = '[::1]:82'\n"
                                "[[listen]]\naddress = '[::1]:81'")) == "8" + twice("[::1]:81"));
}

TEST_CASE("a listener's other keys are checked") {
  const std::string policies =
      "expected 'round-robin', 'accept-race', 'least-connections' or 'sticky'";
  const std::string rule = "expected 1 to 64 of A-Z a-z 0-9 . _ - : [ ], got ";
  const std::string range = "expected an integer from 1 to 65535, got ";
  const std::string account = "expected a name or a number, as a string, got ";
  each_is_bad(
      bad_listen, "5: unknown policy ",
      {{"policy = 'x'", "'x'; " + policies},
       {"policy = 'roundrobin'", "'roundrobin'; " + policies + "; did you mean 'round-robin'?"}});
  each_is_bad(
      bad_listen, "5: listen.",
      {{"policy = 1", "policy: " + policies + ", got integer 1"},
       {"backlog = 0", "backlog: " + range + "integer 0"},
       {"backlog = 65536", "backlog: " + range + "integer 65536"},
       {"backlog = '1'", "backlog: " + range + "string '1'"},
       {"name = ''", "name: " + rule + "string ''"},
       {"name = 'a b'", "name: " + rule + "string 'a b'"},
       {"name = 1", "name: expected a string, got integer 1"},
       {"nodelay = 1", "nodelay: expected true or false, got integer 1"},
       {"nodelay = 'no'", "nodelay: expected true or false, got string 'no'"},
       {"defer_accept = 1", "defer_accept: expected a duration such as '5s', got integer 1"},
       {"queue_timeout = '31d'", "queue_timeout: '31d' is longer than 30 days"}});
  const auto bad_local = [](const std::string& line) {
    return bad(with_listen("[[listen]]\naddress = 'unix:x'\n" + line));
  };
  each_is_bad(
      +bad_local, "3: listen.",
      {{"mode = 660", "mode: expected an octal string such as '0660', got integer 660"},
       {"mode = '0668'", "mode: expected an octal string such as '0660', got string '0668'"},
       {"owner = ''", "owner: " + account + "string ''"},
       {"group = 33", "group: " + account + "integer 33"}});
}

TEST_CASE("a listener's defaults") {
  const Listen listen = listener("address = '[::1]:80'");
  CHECK(listen.kind == Listen::Kind::tcp);
  CHECK(listen.policy == Policy::round_robin);
  CHECK(listen.queue_timeout == 30s);
  CHECK(listen.defer_accept == 0s);
  CHECK(listen.nodelay);
  CHECK(listen.v6only);
}
