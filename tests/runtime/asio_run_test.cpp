// clusterd::asio::run(), without a master.
#include "tests/support/http.h"

#include <boost/asio.hpp>
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <clusterd/asio.hpp>
#include <clusterd/sessions.hpp>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

namespace clusterd {
namespace {

using namespace std::chrono_literals;
namespace net = boost::asio;
using net::ip::tcp;

/// A connection that is open for a while, and throws meanwhile.
struct Session : std::enable_shared_from_this<Session> {
  Session(tcp::socket accepted, net::io_context& io) : socket(std::move(accepted)), timer(io) {}

  void start(std::atomic<int>& ended) {
    timer.expires_after(100ms);
    timer.async_wait([self = shared_from_this(), &ended](auto) { ++ended; });
    net::post(timer.get_executor(), [] { throw std::runtime_error("thrown for a test"); });
  }

  tcp::socket socket;
  net::steady_timer timer;
};

std::uint16_t port_of(const std::string& address) {
  return static_cast<std::uint16_t>(std::stoul(address.substr(address.rfind(':') + 1)));
}

}  // namespace

TEST_CASE("asio: an exception that escapes a handler of io is a suicide, and the rest goes on") {
  for (const unsigned threads : {0U, 3U}) {
    CAPTURE(threads);
    net::io_context io;
    Worker worker;
    asio::acceptor acceptor(io, worker, "127.0.0.1:0");
    std::atomic<int> ended{0};
    acceptor.async_accept([&](boost::system::error_code, tcp::socket socket) {
      std::make_shared<Session>(std::move(socket), io)->start(ended);
    });
    test::Client client(port_of(acceptor.local_address()));
    const int code = threads == 0 ? asio::run(io, worker) : asio::run(io, worker, threads);
    CHECK(code == 1);
    CHECK(ended == 1);
    CHECK(worker.active() == 0);
  }
}

TEST_CASE("asio: handlers that never run out leave the worker its turns") {
  net::io_context io{1};
  Worker worker;
  int handled = 0;
  std::function<void()> again = [&] {
    ++handled;
    if (!worker.draining()) net::post(io, again);
  };
  again();
  worker.post([&] { worker.suicide("enough"); });
  CHECK(asio::run(io, worker) == 1);
  CHECK(handled > 1);
}

TEST_CASE("sessions: those that live are told, which may end them") {
  struct Told {
    Sessions<Told>::Place place;
    int times = 0;
  };
  Sessions<Told> sessions;
  auto first = std::make_shared<Told>();
  auto second = std::make_shared<Told>();
  first->place = sessions.add(first);
  second->place = sessions.add(second);
  sessions.each([](Told& one) { ++one.times; });
  CHECK(first->times == 1);
  second.reset();
  sessions.each([&](Told& one) {
    ++one.times;
    first.reset();
  });
  int left = 0;
  sessions.each([&](Told&) { ++left; });
  CHECK(left == 0);
}

}  // namespace clusterd
