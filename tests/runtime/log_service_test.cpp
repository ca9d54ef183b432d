// The master's part of a log that its agent writes.
#include "master/runtime/log_service.h"

#include "common/channel_client.h"
#include "common/fd_passing.h"
#include "tests/support/eventually.h"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace clusterd::runtime {
namespace {

using namespace std::chrono_literals;
using protocol::LogWritten;
using protocol::WriteLog;

constexpr std::size_t kLongest = 4096;

/// A master without a cluster, and the other end of the agent's channel.
struct Stage {
  Stage() {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
    out.reset(ends[0]);
    in.reset(ends[1]);
    settings.rules.every = LogRules::Every::day;
  }

  std::shared_ptr<Channel> connect() {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
    agent.reset(ends[1]);
    return Channel::open(
        io, UniqueFd(ends[0]), kLongest,
        {.line = [](std::string_view) {}, .ended = [] {}, .broken = [](const std::string&) {}});
  }
  /// The next order, and how many descriptors came with it.
  std::pair<WriteLog, std::size_t> order() {
    std::string text;
    std::vector<UniqueFd> fds;
    REQUIRE(test::eventually(
        [&] {
          io.poll();
          io.restart();
          char byte = 0;
          while (!text.ends_with('\n')) {
            char control[CMSG_SPACE(sizeof(int))];
            iovec piece{&byte, 1};
            msghdr message{};
            message.msg_iov = &piece;
            message.msg_iovlen = 1;
            message.msg_control = control;
            message.msg_controllen = sizeof control;
            if (::recvmsg(agent.get(), &message, MSG_CMSG_CLOEXEC) <= 0) return false;
            text += byte;
            const cmsghdr* header = CMSG_FIRSTHDR(&message);
            if (header == nullptr) continue;
            int fd = -1;
            std::copy_n(CMSG_DATA(header), sizeof fd, reinterpret_cast<unsigned char*>(&fd));
            fds.emplace_back(fd);
          }
          return true;
        },
        10s));
    text.pop_back();
    const auto message = protocol::decode_from_master(text);
    REQUIRE(message.has_value());
    REQUIRE(std::holds_alternative<WriteLog>(*message));
    return {std::get<WriteLog>(*message), fds.size()};
  }

  boost::asio::io_context io;
  config::Log settings;
  UniqueFd out;
  UniqueFd in;
  UniqueFd agent;
  int periods = 0;
};

}  // namespace

TEST_CASE("each agent is given the pipe and only at the start it must be able to write") {
  Stage stage;
  LogService service(stage.io, stage.settings, LogSink{stage.out.get(), "/log"},
                     [&] { ++stage.periods; });
  CHECK(service.has_file());
  CHECK_FALSE(service.reopen());
  service.serve(stage.connect());
  auto [first, fds] = stage.order();
  CHECK(fds == 1);
  CHECK((first == WriteLog{1, "/log", stage.settings.rules, true}));
  service.said(LogWritten{});
  service.said(LogWritten{"", true});
  CHECK(stage.periods == 1);
  service.said(LogWritten{"no space", false});
  CHECK(service.error() == "no space");
  service.said(LogWritten{});
  CHECK(service.error().empty());

  service.serve(stage.connect());
  auto [second, again] = stage.order();
  CHECK(again == 1);
  CHECK_FALSE(second.must);
  CHECK(service.reopen());
  CHECK(stage.order().second == 0);
}

TEST_CASE("a reload tells the agent what has changed and nothing else") {
  Stage stage;
  LogService service(stage.io, stage.settings, LogSink{stage.out.get(), "/log"}, [] {});
  service.serve(stage.connect());
  (void)stage.order();
  service.commit(stage.settings);
  config::Log next = stage.settings;
  next.rules.keep = 7;
  service.commit(next);
  const auto [order, fds] = stage.order();
  CHECK(order.rules.keep == 7);
  CHECK(fds == 0);
}

TEST_CASE("without a file there is nothing to tell") {
  Stage stage;
  LogService service(stage.io, stage.settings, std::nullopt, [] {});
  service.serve(stage.connect());
  service.commit(stage.settings);
  CHECK_FALSE(service.has_file());
  CHECK_FALSE(service.reopen());
  stage.io.poll();
  char byte = 0;
  CHECK(::recv(stage.agent.get(), &byte, 1, MSG_DONTWAIT) < 0);
}

}  // namespace clusterd::runtime
