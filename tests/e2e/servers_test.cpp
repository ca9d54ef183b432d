// The recipes: what we did not write, under load through a crash, a leave and a reload.
#include "common/unique_fd.h"
#include "tests/support/cluster.h"
#include "tests/support/eventually.h"
#include "tests/support/exchanges.h"
#include "tests/support/http.h"
#include "tests/support/node.h"
#include "tests/support/program.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <doctest/doctest.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <memory>
#include <netinet/in.h>
#include <regex>
#include <set>
#include <string>
#include <sys/socket.h>
#include <unistd.h>

namespace clusterd::test {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

constexpr const char* kHttp = "GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";

/// A port that nobody else is given: bound, and not listening, as the master will.
class ReservedPort {
 public:
  ReservedPort() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const int on = 1;
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* any = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(::bind(fd_.get(), any, length) == 0);
    REQUIRE(::getsockname(fd_.get(), any, &length) == 0);
    number_ = ntohs(address.sin_port);
  }
  [[nodiscard]] std::uint16_t number() const { return number_; }

 private:
  UniqueFd fd_;
  std::uint16_t number_ = 0;
};

/// A recipe's server with two workers, as `clusterd init --worker NAME` makes it, on a port of its
/// own and with the app of the tests.
class Server {
 public:
  explicit Server(const std::string& recipe, const std::string& app = "") {
    init_ = run({clusterd_program(), "init", "--worker", recipe, conf()});
    REQUIRE(init_.code == 0);
    if (!app.empty()) {
      fs::copy(fs::path(CLUSTERD_SOURCE_DIR) / "tests" / app, dir_.path(),
               fs::copy_options::recursive);
    }
    if (recipe == "egg") fs::create_directory_symlink(node_modules(), dir_.path("node_modules"));
    for (const auto& entry : fs::directory_iterator(dir_.path())) adapt(entry.path());
    // For who runs as another user.
    fs::permissions(dir_.path(), fs::perms(0755));
    fs::create_directory(dir_.path("run"));
    fs::permissions(dir_.path("run"), fs::perms(0777));
    if (recipe == "go") {
      const Finished built = run({"env", "GOCACHE=" + dir_.path("cache"), "go", "build", "-o",
                                  dir_.path("server"), dir_.path("server.go")});
      INFO(built.err);
      REQUIRE(built.code == 0);
    }
    // What would have many a server fork, if it were heeded.
    master_ = std::make_unique<Program>(
        std::vector<std::string>{"env", "WEB_CONCURRENCY=3", "EGG_APP_RUN=" + dir_.path("run"),
                                 clusterd_program(), "start", conf()},
        dir_.path("out"), dir_.path("err"));
    INFO(log());
    REQUIRE(eventually([&] { return pids().size() == 2 || !master_->running(); }, 60s));
    REQUIRE(master_->running());
  }

  [[nodiscard]] std::uint16_t port() const { return port_.number(); }
  /// What init said.
  [[nodiscard]] const std::string& said() const { return init_.out; }
  [[nodiscard]] std::string log() const {
    return read_file(dir_.path("err")) + read_file(dir_.path("out"));
  }
  [[nodiscard]] const TempDir& dir() const { return dir_; }
  [[nodiscard]] Program& master() { return *master_; }
  [[nodiscard]] Finished verb(std::vector<std::string> words) const {
    words.insert(words.begin(), clusterd_program());
    words.push_back(conf());
    return run(words);
  }

  /// Of two workers that are ready with nobody beside them; else nobody.
  [[nodiscard]] std::set<pid_t> pids() const {
    const Finished asked = verb({"status", "--json"});
    std::set<pid_t> all;
    if (asked.code != 0) return all;
    const auto status = boost::json::parse(asked.out);
    if (status.at("state") != "running") return all;
    for (const auto& worker : status.at("workers").as_array()) {
      if (worker.at("state") != "ready") return {};
      all.insert(static_cast<pid_t>(worker.at("pid").as_int64()));
    }
    return all.size() == 2 ? all : std::set<pid_t>{};
  }
  /// When all is quiet again, with so many new processes.
  [[nodiscard]] bool changed(const std::set<pid_t>& before, std::size_t number) const {
    return eventually(
        [&] {
          const std::set<pid_t> now = pids();
          std::size_t fresh = 0;
          for (const pid_t pid : now) fresh += before.contains(pid) ? 0U : 1U;
          return now.size() == 2 && fresh == number;
        },
        30s);
  }

 private:
  [[nodiscard]] std::string conf() const { return dir_.path("app.conf"); }

  void adapt(const fs::path& file) const {
    if (!fs::is_regular_file(file)) return;
    std::string text = read_file(file);
    const auto replace = [&](const char* what, const std::string& with) {
      text = std::regex_replace(text, std::regex(what), with);
    };
    replace("127\\.0\\.0\\.1:(8080|9000)", "127.0.0.1:" + std::to_string(port()));
    if (file.filename() == "app.conf") {
      replace("PORT = \"8080\"", "PORT = \"" + std::to_string(port()) + "\"");
      replace("\"port\": 8080", "\"port\": " + std::to_string(port()));
      replace("\\[\"node\"", "[\"" + node_program() + "\"");
      replace("alive = \"[0-9]s\"", "alive = \"500ms\"");
      replace("ready = \\{ http", "ready = { alive = \"500ms\", http");
      replace("workers = (\"auto\"|2)", "workers = 2");
      if (::geteuid() != 0) replace("user = .*\n", "\n");
      text += "[control]\nsocket = \"ctl.sock\"\n[reload]\nsurge = 2\nsettle = \"200ms\"\n";
    }
    (void)dir_.write(file.filename(), text);
  }

  ReservedPort port_;
  TempDir dir_;
  Finished init_;
  std::unique_ptr<Program> master_;
};

/// What a server does that is asked to leave with connections that it has accepted and read nothing
/// from so far: it serves them, or closes them as if they were idle.
enum class Unread : std::uint8_t { served, closed };

struct Manners {
  std::string request{kHttp};
  std::string answer{"hello from "};
  Unread unread = Unread::served;
};

void survives(Server& server, const Manners& manners = {}) {
  INFO(server.log());
  Exchanges load(server.port(), manners.request, manners.answer);
  REQUIRE(eventually([&] { return load.done() > 20; }, 20s));
  CHECK(load.lost() == 0);

  // A crash costs what it had, and who waits does not see it.
  std::set<pid_t> before = server.pids();
  REQUIRE(before.size() == 2);
  ::kill(*before.begin(), SIGKILL);
  CHECK(server.changed(before, 1));
  const std::uint64_t lost = load.lost();
  CHECK(lost <= Exchanges::kClients);

  before = server.pids();
  CHECK(server.verb({"recycle", "1"}).code == 0);
  CHECK(server.changed(before, 1));

  before = server.pids();
  const Finished reload = server.verb({"restart"});
  INFO(reload.err);
  CHECK(reload.code == 0);
  CHECK(server.changed(before, 2));
  const std::uint64_t done = load.done();
  CHECK(eventually([&] { return load.done() > done + 20; }, 20s));
  load.stop();
  const std::uint64_t leaves = 3;
  CHECK(load.lost() <=
        lost + (manners.unread == Unread::closed ? leaves * Exchanges::kClients : 0));
  CHECK(load.refused() == 0);
  server.master().signal(SIGTERM);
  CHECK(server.master().wait(20s) == 0);
}

/// Each worker has so many processes beside its own.
void check_forks(const Server& server, std::size_t number) {
  for (const pid_t pid : server.pids()) CHECK(children_of(pid).size() == number);
}

}  // namespace

TEST_CASE("a program of Node goes through a crash and a leave and a reload") {
  Server server("node");
  survives(server, {.answer = "handled by worker, pid is "});
}

TEST_CASE("an application of Egg goes through a crash and a leave and a reload") {
  Server server("egg", "node/egg-app");
  survives(server, {.answer = "handled by worker, pid is "});
}

TEST_CASE("a program in Python goes through a crash and a leave and a reload") {
  Server server("python");
  survives(server, {.answer = "hello, my pid is "});
}

TEST_CASE("gunicorn goes through a crash and a leave and a reload") {
  Server server("gunicorn", "servers/wsgi");
  check_forks(server, 1);
  survives(server);
}

TEST_CASE("uvicorn goes through a crash and a leave and a reload") {
  Server server("uvicorn", "servers/asgi");
  check_forks(server, 0);
  survives(server, {.unread = Unread::closed});
}

TEST_CASE("hypercorn goes through a crash and a leave and a reload") {
  Server server("hypercorn", "servers/asgi");
  check_forks(server, 0);
  survives(server, {.unread = Unread::closed});
}

TEST_CASE("puma goes through a crash and a leave and a reload") {
  Server server("puma", "servers/rack");
  check_forks(server, 0);
  survives(server, {.unread = Unread::closed});
}

TEST_CASE("unicorn goes through a crash and a leave and a reload") {
  Server server("unicorn", "servers/rack");
  check_forks(server, 1);
  survives(server);
}

TEST_CASE("nginx goes through a crash and a leave and a reload") {
  Server server("nginx");
  CHECK(server.said().find(": install -d -o www-data run\n") != std::string::npos);
  survives(server);
  CHECK(server.log().find("\"GET / HTTP/1.1\" 200") != std::string::npos);
}

TEST_CASE("php-fpm goes through a crash and a leave and a reload") {
  Server server("php-fpm", "servers/php");
  survives(server, {.request = fastcgi_request(server.dir().path("index.php"))});
}

TEST_CASE("haproxy goes through a crash and a leave and a reload") {
  Server server("haproxy");
  survives(server);
  CHECK(server.log().find("\"GET / HTTP/1.1\"") != std::string::npos);
}

TEST_CASE("a Go program goes through a crash and a leave and a reload") {
  Server server("go");
  survives(server);
}

TEST_CASE("a Java program goes through a crash and a leave and a reload") {
  Server server("java");
  survives(server);
}

TEST_CASE("clients of a Java program that say nothing hold up nobody") {
  const Server server("java");
  const Client silent[] = {Client(server.port()), Client(server.port()), Client(server.port())};
  for (int i = 0; i < 10; ++i) CHECK(get(server.port(), 5s).ok());
}

}  // namespace clusterd::test
