#pragma once

#include "common/protocol.h"
#include "master/runtime/messenger.h"

#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <variant>
#include <vector>

namespace clusterd::runtime {

using Kind = Recipient::Kind;

constexpr ChildId worker(std::uint32_t number) { return {Role::worker, number}; }

/// A messenger with workers that are sockets.
struct Post {
  struct Seat {
    UniqueFd peer;
    std::shared_ptr<Channel> channel;
    bool broken = false;
  };

  explicit Post(std::uint32_t count) {
    for (std::uint32_t number = 1; number <= count; ++number) add(number);
  }
  ~Post() {
    for (const auto& seat : seats) seat->channel->close();
  }

  void add(std::uint32_t number, bool tells_heard = false,
           Messenger::Dialect dialect = Messenger::Dialect::native) {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    auto seat = std::make_unique<Seat>();
    seat->peer.reset(ends[0]);
    seat->channel =
        Channel::open(io, UniqueFd(ends[1]), protocol::kLongestLine,
                      {.line = [](std::string_view) {},
                       .ended = [] {},
                       .broken = [broken = &seat->broken](const std::string&) { *broken = true; },
                       .low = [this, number] { messenger.is_low(worker(number)); },
                       .notices = [this, number] { return messenger.notices(worker(number)); }});
    messenger.join(worker(number), seat->channel, 100 + number, SlotId(number - 1), dialect,
                   tells_heard);
    messenger.set_ready(worker(number), true);
    seats.push_back(std::move(seat));
  }

  void send(std::uint32_t from, Recipient to, const std::string& action,
            const std::string& data = "null") {
    const Envelope envelope{action, to, data, 100 + from};
    std::string line = seal_envelope(envelope);
    line.pop_back();
    messenger.route(worker(from), *check_json(line), line);
  }

  /// A line as a program may write it.
  void say(std::uint32_t from, const std::string& line) {
    messenger.route(worker(from), *check_json(line), line);
  }

  /// A request, or with `reply` an answer to the number.
  void ask(std::uint32_t from, Recipient to, std::int64_t request, std::int64_t reply = 0) {
    const Envelope envelope{"ask", to, "null", 100 + from, request, reply};
    std::string line = seal_envelope(envelope);
    line.pop_back();
    messenger.route(worker(from), *check_json(line), line);
  }

  void settle() {
    do io.restart();
    while (io.poll() > 0);
  }

  /// All that worker `number` can read now, and after it has.
  std::string hear(std::uint32_t number) {
    std::string text;
    char some[65536];
    for (int idle = 0; idle < 2;) {
      settle();
      const ssize_t got = ::recv(seats[number - 1]->peer.get(), some, sizeof some, MSG_DONTWAIT);
      if (got <= 0) {
        ++idle;
      } else {
        idle = 0;
        text.append(some, static_cast<std::size_t>(got));
      }
    }
    return text;
  }

  boost::asio::io_context io;
  Messenger messenger;
  std::vector<std::unique_ptr<Seat>> seats;
};

[[nodiscard]] inline std::size_t lines_with(const std::string& text, std::string_view part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++count;
  }
  return count;
}

/// The sum of all notices of messages that could not be queued.
[[nodiscard]] inline std::int64_t undelivered(const std::string& text) {
  std::int64_t sum = 0;
  std::size_t start = 0;
  for (std::size_t end = 0; (end = text.find('\n', start)) != std::string::npos; start = end + 1) {
    const auto line =
        protocol::decode_from_master(std::string_view(text).substr(start, end - start));
    REQUIRE(line.has_value());
    if (const auto* notice = std::get_if<protocol::Undelivered>(&*line)) sum += notice->count;
  }
  return sum;
}

}  // namespace clusterd::runtime
