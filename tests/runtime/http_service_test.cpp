// The master's part of [http], with an agent that is a socket.
#include "master/runtime/http_service.h"

#include "common/fd_passing.h"
#include "common/line_reader.h"
#include "tests/support/eventually.h"

#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include <array>
#include <string>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace clusterd::runtime {
namespace {

using namespace std::chrono_literals;
using test::eventually;

config::Http at(const std::string& address) {
  config::Listen listen;
  listen.name = "http.address";
  listen.address = *Address::parse(address);
  return {listen};
}

/// An agent, as the master sees it.
struct Peer {
  explicit Peer(boost::asio::io_context& io) {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    fd.reset(ends[0]);
    channel = Channel::open(io, UniqueFd(ends[1]), protocol::kLongestLine,
                            {.line = [](std::string_view) {},
                             .ended = [] {},
                             .broken = [this](const std::string&) { broken = true; }});
  }
  ~Peer() { channel->close(); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  /// The lines that have come since the last time.
  std::vector<protocol::FromMaster> read() {
    std::array<std::byte, 65536> buffer;
    std::vector<protocol::FromMaster> messages;
    for (;;) {
      auto received = receive_with_fds(fd.get(), buffer, kMaxPassedFds);
      if (!received || received->bytes == 0) return messages;
      for (UniqueFd& one : received->fds) fds.push_back(std::move(one));
      lines.add({reinterpret_cast<const char*>(buffer.data()), received->bytes});
      while (const auto line = lines.next()) {
        const auto message = protocol::decode_from_master(*line);
        REQUIRE(message);
        messages.push_back(*message);
      }
    }
  }

  UniqueFd fd;
  std::shared_ptr<Channel> channel;
  LineReader lines{protocol::kLongestLine};
  std::vector<UniqueFd> fds;
  bool broken = false;
};

struct Master {
  Master() : service(io, {cluster, dispatcher, generations, messenger}, {}, std::nullopt) {}

  /// Turns the loop until something comes, and gives that.
  std::vector<protocol::FromMaster> next(Peer& peer) {
    std::vector<protocol::FromMaster> messages;
    CHECK(eventually(
        [&] {
          io.restart();
          (void)io.poll();
          messages = peer.read();
          return !messages.empty();
        },
        10s));
    return messages;
  }

  boost::asio::io_context io;
  core::Cluster cluster{core::Plan{}};
  Dispatcher dispatcher{io, {}, {}};
  config::Settings settings;
  Generations generations{Generation{1}, settings, {}};
  Messenger messenger;
  HttpService service;
};

std::string content(int fd) {
  struct stat file{};
  REQUIRE(::fstat(fd, &file) == 0);
  std::string text(static_cast<std::size_t>(file.st_size), '\0');
  REQUIRE(::pread(fd, text.data(), text.size(), 0) == file.st_size);
  return text;
}

}  // namespace

TEST_CASE("a question is answered, with a page that nobody can change if it is wanted") {
  Master master;
  Peer agent(master.io);
  master.service.serve(agent.channel);
  master.service.asked({7, false});
  const auto answers = master.next(agent);
  REQUIRE(answers.size() == 1);
  const auto* answer = std::get_if<protocol::Reported>(&answers[0]);
  REQUIRE(answer != nullptr);
  CHECK(answer->ack == 7);
  CHECK(answer->fds == 0);
  CHECK_FALSE(answer->ready);
  CHECK(answer->reason == "the cluster starts: 0 of 1 workers are ready");

  master.service.asked({8, true});
  const auto more = master.next(agent);
  REQUIRE(more.size() == 1);
  CHECK(std::get<protocol::Reported>(more[0]).fds == 1);
  REQUIRE(agent.fds.size() == 1);
  const std::string page = content(agent.fds[0].get());
  CHECK(page.find("\nclusterd_ready 0\n") != std::string::npos);
  CHECK(page.ends_with('\n'));
  CHECK(::write(agent.fds[0].get(), "x", 1) < 0);
  CHECK(::ftruncate(agent.fds[0].get(), 0) < 0);
}

TEST_CASE("an agent that only asks is answered no more than it reads") {
  Master master;
  Peer agent(master.io);
  master.service.serve(agent.channel);
  for (std::int64_t seq = 1; seq <= 10'000; ++seq) {
    master.service.asked({seq, true});
    master.io.restart();
    (void)master.io.poll();
  }
  CHECK_FALSE(agent.broken);
  CHECK(agent.read().size() == 1);
  CHECK(agent.fds.size() == 1);
  // The last question is answered when there is somebody who listens.
  const auto rest = master.next(agent);
  REQUIRE(rest.size() == 1);
  CHECK(std::get<protocol::Reported>(rest[0]).ack == 10'000);
}

TEST_CASE("the next agent has the listener, and nothing of what its predecessor asked") {
  Master master;
  REQUIRE(master.service.prepare(at("127.0.0.1:0")));
  CHECK(master.service.address().empty());
  master.service.commit();
  CHECK(master.service.address().starts_with("127.0.0.1:"));
  {
    Peer agent(master.io);
    master.service.serve(agent.channel);
    CHECK(std::get<protocol::ServeHttp>(master.next(agent).at(0)).fds == 1);
    master.service.asked({1, true});
    (void)master.next(agent);
    master.service.asked({2, true});
  }
  Peer agent(master.io);
  master.service.serve(agent.channel);
  CHECK(std::get<protocol::ServeHttp>(master.next(agent).at(0)).fds == 1);
  CHECK(agent.fds.size() == 1);
  master.service.asked({1, false});
  CHECK(std::get<protocol::Reported>(master.next(agent).at(0)).ack == 1);
}

TEST_CASE("a new address is open before the old one goes, and a port in use changes nothing") {
  Master master;
  Peer agent(master.io);
  master.service.serve(agent.channel);
  REQUIRE(master.service.prepare(at("127.0.0.1:0")));
  master.service.commit();
  (void)master.next(agent);
  const std::string first = master.service.address();

  auto other = os::Listener::open(*Address::parse("127.0.0.1:0"), 1);
  REQUIRE(other);
  const auto refused = master.service.prepare(at(other->text()));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message() ==
        "http.address: bind " + other->text() + ": Address already in use");
  master.service.abandon();
  master.service.commit();
  CHECK(master.service.address() == first);

  other->close();
  REQUIRE(master.service.prepare(at(other->text())));
  CHECK(master.service.address() == first);
  master.service.commit();
  CHECK(master.service.address() == other->text());
  CHECK(std::get<protocol::ServeHttp>(master.next(agent).at(0)).fds == 1);
  agent.fds.clear();  // as the agent closes what it is to serve no more
  CHECK(os::Listener::open(*Address::parse(first), 1));

  REQUIRE(master.service.prepare({}));
  master.service.commit();
  CHECK(std::get<protocol::ServeHttp>(master.next(agent).at(0)).fds == 0);
  CHECK(master.service.address().empty());
}

}  // namespace clusterd::runtime
