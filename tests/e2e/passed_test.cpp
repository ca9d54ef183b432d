// Listeners that are not the master's own: the service manager has opened them, passes them at the
// start, and keeps them with whoever is in their queue. The test is the manager.
#include "common/unique_fd.h"
#include "tests/support/cluster.h"
#include "tests/support/ear.h"
#include "tests/support/eventually.h"
#include "tests/support/http.h"

#include <doctest/doctest.h>

#include <arpa/inet.h>
#include <csignal>
#include <memory>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

using namespace clusterd::test;
using namespace std::chrono_literals;
using clusterd::UniqueFd;

namespace {

constexpr auto kSoon = 20s;

/// A socket of the manager's.
struct Passed {
  explicit Passed(int type = SOCK_STREAM) : fd(::socket(AF_INET, type | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    REQUIRE(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), length) == 0);
    if (type == SOCK_STREAM) REQUIRE(::listen(fd.get(), 64) == 0);
    ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &length);
    port = ntohs(address.sin_port);
  }

  UniqueFd fd;
  std::uint16_t port = 0;
};

ClusterOptions with(const std::vector<int>& passed, const std::string& policy = "round-robin") {
  return {.workers = 2,
          .policy = policy,
          .command = {fixture_worker()},
          .more = "[reload]\nsettle = \"0\"\n",
          .address = "systemd:web",
          .passed = passed};
}

void edit(const Cluster& cluster, const std::string& what, const std::string& by) {
  std::string conf = read_file(cluster.conf());
  REQUIRE(conf.find(what) != std::string::npos);
  cluster.dir().write("app.conf", conf.replace(conf.find(what), what.size(), by));
}

bool says(const Cluster& cluster, const std::string& text) {
  return cluster.log().find(text) != std::string::npos;
}

}  // namespace

TEST_CASE("a passed socket is served in each policy, and outlives the cluster with its queue") {
  const Variable names("LISTEN_FDNAMES", "web");
  for (const std::string policy : {"round-robin", "accept-race", "least-connections", "sticky"}) {
    CAPTURE(policy);
    const Passed web;
    Cluster cluster(with({web.fd.get()}, policy));
    CHECK(cluster.port() == web.port);
    for (int time = 0; time < 10; ++time) CHECK(get(web.port).ok());
    CHECK(cluster.verb({"stop"}).code == 0);
    // Who comes now waits for the next start: with the socket's owner, and not in vain.
    Client client(web.port);
    REQUIRE_FALSE(client.refused());
    client.ask();
    Cluster next(with({web.fd.get()}, policy));
    CHECK(client.read_to_end(10s).ok());
    CHECK(next.verb({"stop"}).code == 0);
  }
}

TEST_CASE("a restart under load loses nobody on a passed socket") {
  const Variable names("LISTEN_FDNAMES", "web");
  const Passed web;
  std::vector<std::unique_ptr<Client>> clients;
  for (int start = 0; start < 3; ++start) {
    Cluster cluster(with({web.fd.get()}));
    for (auto& client : clients) CHECK(client->read_to_end(10s).ok());
    clients.clear();
    cluster.master().signal(SIGTERM);
    // Before, while and after it stops.
    while (cluster.master().running()) {
      if (clients.size() == 40) break;
      clients.push_back(std::make_unique<Client>(web.port));
      REQUIRE_FALSE(clients.back()->refused());
      clients.back()->ask();
    }
    CHECK(cluster.master().wait(kSoon) == 0);
  }
}

TEST_CASE("a name that was not passed ends the start, which says what there is") {
  const Passed web;
  const Passed other;
  const auto fails = [](ClusterOptions options) {
    options.wait_until_running = false;
    Cluster cluster(options);
    CHECK(cluster.master().wait(kSoon) == 71);
    return cluster.log();
  };
  {
    const Variable names("LISTEN_FDNAMES", "http:ctl");
    const std::string log = fails(with({web.fd.get(), other.fd.get()}));
    CHECK(log.find("no socket \"web\" was passed: there is \"http\", \"ctl\"") !=
          std::string::npos);
  }
  CHECK(fails(with({})).find("there is none at all") != std::string::npos);
  const Variable names("LISTEN_FDNAMES", "web");
  const Passed udp(SOCK_DGRAM);
  CHECK(fails(with({udp.fd.get()})).find("needs policy = \"accept-race\"") != std::string::npos);
}

TEST_CASE("a passed socket that app.conf does not name is closed and told of") {
  const Variable names("LISTEN_FDNAMES", "web:ctl");
  const Passed web;
  const Passed other;
  Cluster cluster(with({web.fd.get(), other.fd.get()}));
  CHECK(says(cluster, "closed descriptor 4, passed as \"ctl\""));

  edit(cluster, "systemd:web", "systemd:ctl");
  const Finished reload = cluster.verb({"reload"});
  CHECK(reload.code != 0);
  CHECK(reload.err.find("needs a stop and a start") != std::string::npos);
  CHECK(get(web.port).ok());
}

TEST_CASE("a daemon has what was passed to its starter, and tells the manager") {
  const Variable names("LISTEN_FDNAMES", "ctl:web");
  const Passed web;
  const Passed other;
  const std::string address = "@clusterd-test-" + std::to_string(::getpid());
  Ear ear(address);
  const TempDir dir;
  const std::string conf = dir.write(
      "app.conf", "workers = 2\n[[listen]]\naddress = \"systemd:web\"\n[worker]\ncommand = [\"" +
                      fixture_worker() + "\"]\n[control]\nsocket = \"ctl.sock\"\n" +
                      "[log]\nfile = \"log\"\n");
  {
    const Variable notify("NOTIFY_SOCKET", address);
    Program starter({clusterd_program(), "start", "--daemon", conf}, dir.path("out"),
                    dir.path("err"), {other.fd.get(), web.fd.get()});
    CHECK(starter.wait(kSoon) == 0);
  }
  for (int time = 0; time < 10; ++time) CHECK(get(web.port).ok());
  CHECK(eventually([&] { return ear.count("READY=1") == 1; }, kSoon));
  CHECK(run({clusterd_program(), "reload", conf}).code == 0);
  CHECK(get(web.port).ok());
  CHECK(eventually([&] { return ear.count("READY=1") == 2; }, kSoon));
  CHECK(run({clusterd_program(), "stop", conf}).code == 0);
  CHECK(ear.count("STOPPING=1") == 1);
  CHECK(read_file(dir.path("log")).find("passed as \"ctl\"") != std::string::npos);
}

TEST_CASE("a reload takes a passed socket out of use, and into use again") {
  const Variable names("LISTEN_FDNAMES", "web");
  const Passed web;
  Cluster cluster(with({web.fd.get()}));
  CHECK(cluster.verb({"reload"}).code == 0);
  CHECK(get(web.port).ok());
  edit(cluster, "policy = \"round-robin\"", "policy = \"accept-race\"");
  CHECK(cluster.verb({"reload"}).code == 0);
  for (int time = 0; time < 4; ++time) CHECK(get(web.port).ok());

  edit(cluster, "systemd:web", "127.0.0.1:0");
  CHECK(cluster.verb({"reload"}).code == 0);
  Client client(web.port);  // in the queue of a socket that nobody serves now
  REQUIRE_FALSE(client.refused());
  client.ask();
  edit(cluster, "127.0.0.1:0", "systemd:web");
  CHECK(cluster.verb({"reload"}).code == 0);
  CHECK(client.read_to_end(10s).ok());
  CHECK(get(web.port).ok());
  CHECK(cluster.verb({"stop"}).code == 0);
  CHECK_FALSE(says(cluster, "AddressSanitizer"));
}
