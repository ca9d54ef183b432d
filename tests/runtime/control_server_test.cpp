#include "master/runtime/control_server.h"

#include "master/os/control_socket.h"
#include "tests/support/eventually.h"
#include "tests/support/temp_dir.h"

#include <doctest/doctest.h>

#include <cerrno>
#include <chrono>
#include <optional>
#include <set>
#include <string>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace clusterd::runtime {
namespace {

using namespace std::chrono_literals;
using test::eventually;

/// A server that knows the verbs "echo", which gives back the member "text", "large", and "wait",
/// which is answered when the test does so. The first two are answered at once.
struct Server {
  Server() : path(dir.path("ctl.sock")) {
    auto socket = os::open_control_socket({path});
    REQUIRE(socket.has_value());
    server.emplace(
        io, std::move(*socket),
        [this](const std::string& verb, const CheckedJson& request, const Reply& reply) {
          ++asked;
          if (verb == "wait") return waiting.push_back(reply), true;
          return answer(verb, request, reply);
        },
        std::set<std::string>{"echo", "large"});
  }

  static bool answer(const std::string& verb, const CheckedJson& request, const Reply& reply) {
    if (verb == "large") return reply.finish("\"" + std::string(100'000, 'x') + "\""), true;
    if (verb != "echo") return false;
    JsonWriter json;
    json.begin_object().member("ok", true);
    json.member("text", request.string("text").value_or("none")).end_object();
    reply.finish(json.take());
    return true;
  }

  void turn() {
    io.restart();
    io.poll();
  }

  test::TempDir dir;
  std::string path;
  boost::asio::io_context io;
  int asked = 0;
  std::vector<Reply> waiting;  ///< clients that asked to wait
  std::optional<ControlServer> server;
};

class Client {
 public:
  explicit Client(Server& server) : server_(server) {
    auto fd = os::connect_unix(server.path, 0);
    REQUIRE(fd.has_value());
    fd_ = std::move(*fd);
  }

  void say(const std::string& text) {
    REQUIRE(::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(text.size()));
  }

  /// The next line of the server, "(end)" if it closes instead.
  std::string hear() {
    REQUIRE(eventually(
        [this] {
          server_.turn();
          read();
          return text_.find('\n') != std::string::npos || ended_;
        },
        10s));
    const std::size_t end = text_.find('\n');
    if (end == std::string::npos) return "(end)";
    std::string line = text_.substr(0, end);
    text_.erase(0, end + 1);
    return line;
  }

  std::string ask(const std::string& text) {
    say(text);
    return hear();
  }

  void leave() { fd_.reset(); }

  /// Closes the direction to the server.
  void end() const { ::shutdown(fd_.get(), SHUT_WR); }

 private:
  void read() {
    char some[4096];
    for (;;) {
      const ssize_t got = ::recv(fd_.get(), some, sizeof some, MSG_DONTWAIT);
      if (got > 0) {
        text_.append(some, static_cast<std::size_t>(got));
        continue;
      }
      ended_ = got == 0 || errno != EAGAIN;
      return;
    }
  }

  Server& server_;
  UniqueFd fd_;
  std::string text_;
  bool ended_ = false;
};

bool is_refusal(const std::string& line) {
  const auto json = check_json(line);
  return json && json->boolean("ok") == false && !json->string("error").value_or("").empty();
}

constexpr const char* kEcho = "{\"verb\":\"echo\",\"text\":\"hello\"}\n";
constexpr const char* kWait = "{\"verb\":\"wait\"}\n";
constexpr const char* kDone = "{\"ok\":true}";
constexpr const char* kEchoed = "{\"ok\":true,\"text\":\"hello\"}";

/// Clients that wait for an answer, each with its turn in `server.waiting`.
std::vector<Client> let_wait(Server& server, std::size_t count) {
  std::vector<Client> clients;
  for (std::size_t number = 0; number < count; ++number) {
    const std::size_t before = server.waiting.size();
    clients.emplace_back(server).say(kWait);
    REQUIRE(eventually([&] { return server.turn(), server.waiting.size() > before; }, 10s));
  }
  return clients;
}

/// For its lifetime, to whoever looks at the socket, the test is another user.
class As {
 public:
  explicit As(uid_t user) { REQUIRE(::seteuid(user) == 0); }
  ~As() { (void)!::seteuid(0); }
  As(const As&) = delete;
  As& operator=(const As&) = delete;
};

}  // namespace

TEST_CASE("a verb is answered with one line, and the next verb as well") {
  Server server;
  Client client(server);
  CHECK(client.ask(kEcho) == kEchoed);
  CHECK(client.ask("{\"text\":\"\\u0041\",\"verb\":\"echo\"}\r\n") ==
        "{\"ok\":true,\"text\":\"A\"}");
  CHECK(client.ask("{\"verb\":\"echo\"}\n") == "{\"ok\":true,\"text\":\"none\"}");
}

TEST_CASE("verbs of one write are answered in their order") {
  Server server;
  Client client(server);
  client.say("{\"verb\":\"echo\",\"text\":\"1\"}\n{\"verb\":\"echo\",\"text\":\"2\"}\n{\"verb\":");
  CHECK(client.hear() == "{\"ok\":true,\"text\":\"1\"}");
  CHECK(client.hear() == "{\"ok\":true,\"text\":\"2\"}");
  CHECK(client.ask("\"echo\",\"text\":\"3\"}\n") == "{\"ok\":true,\"text\":\"3\"}");
}

TEST_CASE("an answer that is larger than the socket arrives whole") {
  Server server;
  Client client(server);
  for (int times = 0; times < 5; ++times) client.say("{\"verb\":\"large\"}\n");
  for (int times = 0; times < 5; ++times) CHECK(client.hear().size() == 100'002);
  CHECK(client.ask(kEcho) == kEchoed);
}

TEST_CASE("a verb that does not exist is refused by name, and the client is served on") {
  Server server;
  Client client(server);
  const std::string answer = client.ask("{\"verb\":\"fly\\\"\"}\n");
  CHECK(is_refusal(answer));
  CHECK(answer.find("fly\\\"") != std::string::npos);
  CHECK(client.ask(kEcho) == kEchoed);
}

TEST_CASE("what is no request is refused, asks nobody, and the client is served on") {
  Server server;
  Client client(server);
  for (const char* garbage :
       {"", "status", "{}", "[]", "7", "{\"verb\":7}", "{\"verb\":null}", "{\"verb\":\"echo\"",
        "{\"verb\":\"echo\"} x", "\"verb\"", "{\"Verb\":\"echo\"}", "\xff\xfe", "GET / HTTP/1.1"}) {
    CAPTURE(garbage);
    CHECK(is_refusal(client.ask(std::string(garbage) + "\n")));
  }
  CHECK(server.asked == 0);
  CHECK(client.ask(kEcho) == kEchoed);
}

TEST_CASE("a request that does not end is cut off") {
  Server server;
  Client client(server);
  Client other(server);
  client.say("{\"verb\":\"" + std::string(100'000, 'x'));
  CHECK(client.hear() == "(end)");
  CHECK(other.ask(kEcho) == kEchoed);
  CHECK(server.asked == 1);
}

TEST_CASE("a client that leaves in the middle of a request harms nobody") {
  Server server;
  {
    Client client(server);
    client.say("{\"verb\":");
    server.turn();
  }
  {
    Client client(server);
    client.say(kEcho);  // and does not wait for the answer
  }
  Client other(server);
  CHECK(other.ask(kEcho) == kEchoed);
}

TEST_CASE("a client that asks and closes its own direction gets its answer before the end") {
  Server server;
  Client client(server);
  client.say(kEcho);
  client.end();
  CHECK(client.hear() == kEchoed);
  CHECK(client.hear() == "(end)");
}

TEST_CASE("a client that reads no answers is cut off, and the others are served") {
  Server server;
  Client client(server);
  Client other(server);
  CHECK(other.ask(kEcho) == kEchoed);
  for (int times = 0; times < 20; ++times) client.say("{\"verb\":\"large\"}\n");
  CHECK(other.ask(kEcho) == kEchoed);
  int answers = 0;
  while (client.hear() != "(end)") ++answers;
  CHECK(answers < 20);
  CHECK(other.ask(kEcho) == kEchoed);
}

TEST_CASE("of more clients than are served at once the earliest make room") {
  constexpr int kMost = 16;
  Server server;
  std::vector<Client> clients;
  for (int number = 0; number < kMost; ++number) {
    clients.emplace_back(server);
    CHECK(clients.back().ask(kEcho) == kEchoed);
  }
  for (Client& client : clients) CHECK(client.ask(kEcho) == kEchoed);

  Client late(server);
  Client later(server);
  CHECK(late.ask(kEcho) == kEchoed);
  CHECK(later.ask(kEcho) == kEchoed);
  CHECK(clients[0].hear() == "(end)");
  CHECK(clients[1].hear() == "(end)");
  for (std::size_t number = 2; number < kMost; ++number) {
    CHECK(clients[number].ask(kEcho) == kEchoed);
  }
}

TEST_CASE("hundreds of clients that say nothing keep nobody out") {
  Server server;
  std::vector<Client> silent;
  for (int number = 0; number < 300; ++number) {
    silent.emplace_back(server);
    server.turn();
  }
  Client client(server);
  CHECK(client.ask(kEcho) == kEchoed);
}

TEST_CASE("a verb that takes time says how far it is, and ends once") {
  Server server;
  std::vector<Client> clients = let_wait(server, 2);
  const Reply reply = server.waiting[0];
  Reply copy;
  copy = reply;
  reply.progress("half\n");
  CHECK(clients[0].hear() == R"({"progress":"half\n"})");
  copy.line("[7]");
  CHECK(clients[0].hear() == "[7]");
  CHECK_FALSE(copy.gone());
  reply.finish(kDone);
  CHECK(copy.gone());
  copy.finish("twice");
  copy.refuse("twice");
  copy.line("late");
  CHECK(clients[0].hear() == kDone);
  CHECK(clients[0].ask(kEcho) == kEchoed);

  CHECK_FALSE(server.waiting[1].gone());
  server.waiting[1].refuse("no \"room\"");
  CHECK(clients[1].hear() == R"({"ok":false,"error":"no \"room\""})");
}

TEST_CASE("a verb waits for the end of the one before it") {
  Server server;
  Client client(server);
  client.say(kWait + std::string(kEcho) + kWait + kEcho);
  REQUIRE(eventually([&] { return server.turn(), server.asked == 1; }, 10s));
  server.turn();
  CHECK(server.asked == 1);
  server.waiting[0].finish(kDone);
  CHECK(server.asked == 1);  // not from within
  CHECK(client.hear() == kDone);
  CHECK(client.hear() == kEchoed);
  REQUIRE(eventually([&] { return server.turn(), server.waiting.size() == 2; }, 10s));
  server.waiting[1].finish(kDone);
  CHECK(client.hear() == kDone);
  CHECK(client.hear() == kEchoed);
}

TEST_CASE("a client that asks on and on while it waits is cut off") {
  Server server;
  Client client = std::move(let_wait(server, 1)[0]);
  for (int times = 0; times < 17; ++times) client.say(kEcho);
  CHECK(client.hear() == "(end)");
  CHECK(server.waiting[0].gone());
  CHECK(server.asked == 1);
}

TEST_CASE("a client that leaves while it waits is gone, and what is sent to it goes nowhere") {
  Server server;
  std::vector<Client> clients = let_wait(server, 3);
  clients[0].leave();
  clients[1].end();
  REQUIRE(eventually([&] { return server.turn(), server.waiting[0].gone(); }, 10s));
  REQUIRE(eventually([&] { return server.turn(), server.waiting[1].gone(); }, 10s));
  server.waiting[0].progress("nobody");
  server.waiting[0].finish(kDone);
  CHECK_FALSE(server.waiting[2].gone());
  server.server.reset();
  CHECK(server.waiting[2].gone());
  server.waiting[2].finish(kDone);
  server.turn();
  CHECK(clients[2].hear() == "(end)");
}

TEST_CASE("a client that does not read what it asked for is cut off") {
  Server server;
  std::vector<Client> clients = let_wait(server, 2);
  const std::string line(1000, 'x');
  int lines = 0;
  while (!server.waiting[0].gone() && lines < 10'000) {
    server.waiting[0].line(line);
    ++lines;
  }
  CHECK(lines < 10'000);
  server.waiting[1].finish(kDone);
  CHECK(clients[1].hear() == kDone);
}

TEST_CASE("clients that wait make no room for others, and only so many may") {
  constexpr std::size_t kMost = 8;
  Server server;
  std::vector<Client> clients = let_wait(server, kMost);
  Client refused(server);
  CHECK(is_refusal(refused.ask(kWait)));
  CHECK(refused.ask(kEcho) == kEchoed);
  CHECK(server.waiting.size() == kMost);
  std::vector<Client> silent;
  for (int number = 0; number < 40; ++number) {
    silent.emplace_back(server);
    CHECK(silent.back().ask(kEcho) == kEchoed);
  }
  CHECK(refused.hear() == "(end)");
  for (std::size_t number = 0; number < kMost; ++number) {
    server.waiting[number].finish(kDone);
    CHECK(clients[number].hear() == kDone);
  }
  CHECK(let_wait(server, 1).size() == 1);
}

TEST_CASE("root has a share of its own, and others have none") {
  if (::geteuid() != 0) return;  // nobody can be another user
  constexpr uid_t kMasters = 65534;
  Server server;
  REQUIRE(::chmod(server.dir.path().c_str(), 0755) == 0);
  REQUIRE(::chmod(server.path.c_str(), 0666) == 0);
  const auto connect_as = [&](uid_t user) {
    const As other(user);
    return Client(server);
  };
  std::vector<Client> clients;
  for (int number = 0; number < 8; ++number) clients.push_back(connect_as(kMasters));
  {
    const As master(kMasters);  // as which the server runs
    for (std::size_t number = 0; number < 8; ++number) {
      clients[number].say(kWait);
      REQUIRE(eventually([&] { return server.turn(), server.waiting.size() > number; }, 10s));
    }
  }
  Client root(server);
  for (int number = 0; number < 300; ++number) {
    clients.push_back(connect_as(kMasters));
    const As master(kMasters);
    server.turn();
  }
  Client stranger = connect_as(1);
  const As master(kMasters);
  CHECK(is_refusal(clients.back().ask(kWait)));
  CHECK(is_refusal(stranger.hear()));  // with a word
  CHECK(stranger.hear() == "(end)");
  root.say(kWait);
  REQUIRE(eventually([&] { return server.turn(), server.waiting.size() == 9; }, 10s));
  server.waiting.back().finish(kDone);
  CHECK(root.hear() == kDone);
}

TEST_CASE("the socket is gone with its server") {
  Server server;
  server.server.reset();
  CHECK_FALSE(os::connect_unix(server.path, 0).has_value());
  CHECK(::access(server.path.c_str(), F_OK) < 0);
}

}  // namespace clusterd::runtime
