// Programs that have logs of their own hear when to open them anew.
#include "master/runtime/messenger.h"

#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <sys/socket.h>
#include <utility>

namespace clusterd::runtime {
namespace {

/// A child at the other end of its channel.
class Child {
 public:
  Child(boost::asio::io_context& io, Messenger& messenger, std::uint32_t number,
        Messenger::Dialect dialect)
      : io_(io) {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    peer_.reset(ends[0]);
    channel_ = Channel::open(
        io, UniqueFd(ends[1]), 4096,
        {.line = [](std::string_view) {}, .ended = [] {}, .broken = [](const std::string&) {}});
    messenger.join({Role::worker, number}, channel_, number, SlotId{number}, dialect);
  }
  ~Child() { channel_->close(); }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  [[nodiscard]] std::string hears() {
    io_.restart();
    while (io_.poll() > 0) io_.restart();
    char text[1024];
    const ssize_t got = ::recv(peer_.get(), text, sizeof text, MSG_DONTWAIT);
    return {text, got > 0 ? static_cast<std::size_t>(got) : 0};
  }

 private:
  boost::asio::io_context& io_;
  UniqueFd peer_;
  std::shared_ptr<Channel> channel_;
};

}  // namespace

TEST_CASE("log-reload is an event to a native program and a message to one of Egg") {
  boost::asio::io_context io;
  Messenger messenger;
  Child native(io, messenger, 1, Messenger::Dialect::native);
  Child node(io, messenger, 2, Messenger::Dialect::node);
  Child egg(io, messenger, 3, Messenger::Dialect::node);
  const std::string spoken = R"({"action":"hello","receiverPid":"1"})";
  messenger.route({Role::worker, 3}, *check_json(spoken), spoken);
  (void)native.hears();
  messenger.log_reload();
  CHECK(native.hears() == "{\"cmd\":\"CLUSTERD\",\"act\":\"event\",\"event\":\"log-reload\"}\n");
  CHECK(node.hears().empty());
  CHECK(egg.hears().find("\"action\":\"log-reload\"") != std::string::npos);
}

}  // namespace clusterd::runtime
