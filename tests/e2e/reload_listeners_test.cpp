// Listeners that come, go and change with a reload: who had connected is served, who comes later
// finds what the file says, and nothing is left over.
#include "common/unique_fd.h"
#include "tests/support/cluster.h"
#include "tests/support/eventually.h"
#include "tests/support/http.h"
#include "tests/support/local_server.h"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <doctest/doctest.h>

#include <arpa/inet.h>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <vector>

using namespace clusterd::test;
using namespace std::chrono_literals;

namespace {

struct Listen {
  std::string name;
  std::string address;
  std::string keys{};
};

/// A daemon whose file is written anew for each reload.
class Site {
 public:
  explicit Site(const std::vector<Listen>& listeners, const std::string& mode = "serve")
      : mode_(mode) {
    write(listeners);
    master_ = std::make_unique<Program>(
        std::vector<std::string>{clusterd_program(), "start", dir.path("app.conf")},
        dir.path("out"), dir.path("err"));
    REQUIRE_MESSAGE(eventually([&] { return log().find("running:") != std::string::npos; }, 30s),
                    log());
  }

  void write(const std::vector<Listen>& listeners) const {
    std::string names;
    std::string conf = "name = \"site\"\nworkers = 2\n";
    for (const Listen& one : listeners) {
      conf +=
          "[[listen]]\nname = \"" + one.name + "\"\naddress = \"" + one.address + "\"\n" + one.keys;
      names += one.name + " ";
    }
    conf += "[worker]\ncommand = [\"" + fixture_worker() + "\", \"" + mode_ +
            "\"]\ndrain_timeout = \"20s\"\nenv = { FIXTURE_LISTEN = \"" + names +
            "\" }\n[reload]\nsettle = \"0\"\n[control]\nsocket = \"ctl.sock\"\n";
    dir.write("app.conf", conf);
  }
  [[nodiscard]] Finished verb(const std::string& word) const {
    return run({clusterd_program(), word, dir.path("app.conf")});
  }
  [[nodiscard]] Finished reload(const std::vector<Listen>& listeners) const {
    write(listeners);
    return verb("reload");
  }
  [[nodiscard]] std::string log() const { return read_file(dir.path("err")); }
  /// The address that the listener of that name really has.
  [[nodiscard]] std::string address(const std::string& name) const {
    const auto status =
        boost::json::parse(run({clusterd_program(), "status", "--json", dir.path("app.conf")}).out);
    for (const auto& one : status.at("listeners").as_array()) {
      if (one.at("name").as_string() == name.c_str())
        return std::string(one.at("address").as_string());
    }
    return "";
  }
  [[nodiscard]] Program& master() { return *master_; }
  /// No worker that leaves is left.
  [[nodiscard]] bool settled() const { return children_of(master_->pid()).size() == 3; }

  TempDir dir;

 private:
  std::string mode_;
  std::unique_ptr<Program> master_;
};

std::string on(std::uint16_t port) { return "127.0.0.1:" + std::to_string(port); }

std::uint16_t port_of(const std::string& address) {
  return static_cast<std::uint16_t>(std::stoul(address.substr(address.rfind(':') + 1)));
}

/// True if a whole answer comes.
bool serves_at(const std::string& path) {
  const clusterd::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) < 0) return false;
  const std::string request = "GET /x HTTP/1.1\r\n\r\n";
  (void)!::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL);
  char buffer[4096];
  return ::recv(fd.get(), buffer, sizeof buffer, 0) > 0;
}

unsigned mode_of(const std::string& path) {
  struct stat status{};
  return ::lstat(path.c_str(), &status) == 0 ? status.st_mode & 0777 : 0;
}

std::int64_t resident_pages(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/statm");
  std::int64_t all = 0;
  std::int64_t resident = 0;
  file >> all >> resident;
  return resident;
}

}  // namespace

TEST_CASE(
    "D11: listeners come and go with reloads, and who had connected to one that goes is served") {
  for (const std::string policy : {"round-robin", "accept-race", "least-connections", "sticky"}) {
    CAPTURE(policy);
    const std::uint16_t first = free_port();
    const std::uint16_t second = free_port();
    const std::string keys = "policy = \"" + policy + "\"\n";
    // They wait for the request of each connection, so that most wait for them.
    Site site({{"a", on(first), keys}});
    CHECK(site.reload({{"a", on(first), keys}, {"b", on(second), keys}}).code == 0);
    CHECK(get(second).ok());
    std::vector<std::unique_ptr<Client>> came;
    for (int i = 0; i < 100; ++i) came.push_back(std::make_unique<Client>(second));
    CHECK(site.reload({{"a", on(first), keys}}).code == 0);
    for (auto& client : came) client->ask();
    int answered = 0;
    for (auto& client : came) answered += client->read_to_end(30s).ok() ? 1 : 0;
    CHECK(answered == 100);
    CHECK(eventually([&] { return Client(second).refused(); }, 30s));
    CHECK(get(first).ok());
    CHECK_MESSAGE(site.reload({{"a", on(first), keys}, {"b", on(second), keys}}).code == 0,
                  site.log());
    CHECK(get(second).ok());
  }
}

TEST_CASE("D11: one that goes and comes back while its old workers still drain is served again") {
  for (const std::string policy : {"round-robin", "accept-race"}) {
    CAPTURE(policy);
    const std::uint16_t port = free_port();
    const std::string keys = "policy = \"" + policy + "\"\n";
    const Listen stays{"a", "127.0.0.1:0", keys};
    const Listen goes{"b", on(port), keys};
    Site site({stays, goes, {"u", "unix:u.sock", keys}});
    const std::string path = site.dir.path("u.sock");
    // Keeps a worker of each generation busy, until it is asked.
    Client held(port);
    CHECK(site.reload({stays}).code == 0);
    if (policy != "accept-race") CHECK(Client(port).refused());
    CHECK_FALSE(std::filesystem::exists(path));
    CHECK_MESSAGE(site.reload({stays, goes, {"u", "unix:u.sock", keys}}).code == 0, site.log());
    CHECK(get(port).ok());
    CHECK(serves_at(path));
    held.ask();
    CHECK(held.read_to_end(30s).ok());
    CHECK(eventually([&] { return site.settled(); }, 30s));
    CHECK(get(port).ok());
    CHECK(serves_at(path));
  }
}

TEST_CASE("D12: a reload that fails leaves no listener of its own, and the old ones as they were") {
  const std::uint16_t port = free_port();
  const std::uint16_t added = free_port();
  Site site({{"a", on(port), ""}, {"u", "unix:u.sock", "mode = \"0600\"\n"}});
  const std::string path = site.dir.path("u.sock");
  const LocalServer taken;
  SUBCASE("the workers fail") {
    site.write({{"b", on(added)}, {"u", "unix:u.sock", "mode = \"0666\"\n"}});
    const std::string conf = read_file(site.dir.path("app.conf"));
    const std::size_t at = conf.find("FIXTURE_LISTEN");
    site.dir.write("app.conf",
                   conf.substr(0, at) + "FIXTURE_DIE_AT_START = \"3\", " + conf.substr(at));
    CHECK(site.verb("reload").code == 75);
  }
  SUBCASE("a port is in use") {
    const Finished reload = site.reload({{"u", "unix:u.sock", "mode = \"0666\"\n"},
                                         {"a", on(port)},
                                         {"c", on(added)},
                                         {"b", on(taken.port)}});
    CHECK(reload.code == 71);
    CHECK(reload.err.find("Address already in use") != std::string::npos);
    CHECK(reload.err.find(on(taken.port)) != std::string::npos);
  }
  CHECK(get(port).ok());
  CHECK(serves_at(path));
  CHECK(mode_of(path) == 0600);
  CHECK(eventually([&] { return Client(added).refused(); }, 10s));
  // What failed can be asked for again.
  CHECK(site.reload({{"b", on(added)}, {"u", "unix:u.sock", "mode = \"0666\"\n"}}).code == 0);
  CHECK(get(added).ok());
  CHECK(mode_of(path) == 0666);
}

TEST_CASE("D11: port 0 keeps its port, whatever else of the listener changes") {
  const Listen a{"a", "127.0.0.1:0"};
  Site site({a, {"b", "127.0.0.1:0"}});
  const std::uint16_t port_a = port_of(site.address("a"));
  const std::uint16_t port_b = port_of(site.address("b"));
  CHECK(site.reload({a, {"b", "127.0.0.1:0", "policy = \"accept-race\"\nbacklog = 99\n"}}).code ==
        0);
  CHECK(eventually([&] { return site.settled(); }, 30s));
  CHECK(port_of(site.address("a")) == port_a);
  CHECK(port_of(site.address("b")) == port_b);
  CHECK(site.reload({{"c", "127.0.0.1:0"}, {"b", "127.0.0.1:0"}}).code == 0);
  CHECK(eventually([&] { return site.settled(); }, 30s));
  CHECK(port_of(site.address("c")) == port_a);
  CHECK(port_of(site.address("b")) == port_b);
  CHECK(site.reload({{"c", "127.0.0.1:0"}}).code == 0);
  CHECK(get(port_a).ok());
  CHECK(eventually([&] { return Client(port_b).refused(); }, 30s));
}

TEST_CASE("D11: a UDP listener goes on over reloads, and changes") {
  const std::uint16_t port = free_port();
  const std::string address = "udp://" + on(port);
  Site site({{"dns", address}}, "datagram");
  const auto echoes = [&] {
    const clusterd::UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const timeval patience{1, 0};
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(port);
    (void)!::sendto(fd.get(), "hello", 5, 0, reinterpret_cast<sockaddr*>(&to), sizeof to);
    char back[16];
    return ::recv(fd.get(), back, sizeof back, 0) == 5;
  };
  CHECK(eventually(echoes, 20s));
  for (int round = 0; round < 3; ++round) {
    CHECK(site.reload({{"dns" + std::to_string(round), address}}).code == 0);
    CHECK(eventually(echoes, 20s));
  }
}

TEST_CASE("fault 30: listeners that change back and forth leave nothing behind") {
  const std::uint16_t tcp = free_port();
  const std::uint16_t other = free_port();
  const Listen stays{"a", "127.0.0.1:0"};
  const std::vector<std::vector<Listen>> files = {
      {stays, {"t", on(tcp)}, {"u", "unix:u.sock", "mode = \"0600\"\n"}},
      {{"u", "unix:u.sock", "mode = \"0660\"\npolicy = \"accept-race\"\n"}, stays},
      {{"renamed", on(tcp), "policy = \"sticky\"\nbacklog = 7\n"}, stays, {"o", on(other)}},
      {stays,
       {"o", on(other), "queue_timeout = \"1s\"\npolicy = \"least-connections\"\n"},
       {"t", on(tcp), "policy = \"accept-race\"\n"}},
  };
  Site site(files[0]);
  const pid_t master = site.master().pid();
  const auto round = [&] {
    for (std::size_t at = 1; at <= files.size(); ++at) {
      const Finished reload = site.reload(files[at % files.size()]);
      CHECK_MESSAGE(reload.code == 0, reload.err);
    }
    REQUIRE(eventually([&] { return site.settled(); }, 30s));
  };
  const std::size_t fds = count_fds(master);
  round();
  REQUIRE(eventually([&] { return count_fds(master) == fds; }, 10s));
  const std::int64_t pages = resident_pages(master);
  const int rounds = CLUSTERD_TEST_SCALE < 100 ? 2 : 20;
  for (int i = 0; i < rounds; ++i) round();
  CHECK(get(tcp).ok());
  CHECK(serves_at(site.dir.path("u.sock")));
  CHECK(mode_of(site.dir.path("u.sock")) == 0600);
  CHECK_FALSE(std::filesystem::exists(site.dir.path("u.sock.closing")));
  CHECK(eventually([&] { return Client(other).refused(); }, 10s));
  CHECK(eventually([&] { return count_fds(master) == fds; }, 10s));
  // The sanitizers keep what was freed.
  if (CLUSTERD_TEST_SCALE >= 100) CHECK(resident_pages(master) - pages < 256);
}
