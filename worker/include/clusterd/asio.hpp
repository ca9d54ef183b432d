#pragma once

#include "clusterd/worker.hpp"

#include <boost/asio.hpp>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <sys/eventfd.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

/// The worker library for Boost.Asio: an acceptor whose async_accept is that of Asio's own, so that
/// an existing server changes the line that makes its acceptor, and the one that runs the loop.
///
///     clusterd::Worker worker;
///     clusterd::asio::acceptor acceptor(io, worker, "127.0.0.1:8080");
///     acceptor.async_accept([](boost::system::error_code error, tcp::socket socket) { ... });
///     worker.ready();
///     return clusterd::asio::run(io, worker);
///
/// With run(io, worker, threads), `io` runs on threads of its own, and the thread that calls run()
/// only brings connections. All may call async_accept then, one at a time; the acceptor itself is
/// made before run() and goes after it.
///
/// An exception that escapes a handler of `io` does not leave run(): it becomes Worker::suicide(),
/// as one does that escapes a handler of the worker. For keep-alive connections at a drain, see
/// sessions.hpp.
namespace clusterd::asio {

namespace detail {

namespace net = boost::asio;

/// An executor that does what `Inner` does and holds a connection open for as long as anything that
/// belongs to it (its socket, its pending handlers, its timers) has a copy. So a plain tcp::socket
/// is counted until its session is gone, without the session knowing.
template <typename Inner>
class holding_executor {
 public:
  holding_executor(Inner inner, std::shared_ptr<Hold> hold) noexcept
      : inner_(std::move(inner)), hold_(std::move(hold)) {}

  template <typename Property>
  [[nodiscard]] auto query(const Property& property) const
      -> decltype(net::query(std::declval<const Inner&>(), property)) {
    return net::query(inner_, property);
  }
  template <typename Property>
  [[nodiscard]] auto require(const Property& property) const -> holding_executor<
      std::decay_t<decltype(net::require(std::declval<const Inner&>(), property))>> {
    return {net::require(inner_, property), hold_};
  }
  template <typename Property>
  [[nodiscard]] auto prefer(const Property& property) const -> holding_executor<
      std::decay_t<decltype(net::prefer(std::declval<const Inner&>(), property))>> {
    return {net::prefer(inner_, property), hold_};
  }
  template <typename Function>
  void execute(Function&& function) const {
    inner_.execute(std::forward<Function>(function));
  }

  friend bool operator==(const holding_executor& a, const holding_executor& b) noexcept {
    return a.inner_ == b.inner_ && a.hold_ == b.hold_;
  }
  friend bool operator!=(const holding_executor& a, const holding_executor& b) noexcept {
    return !(a == b);
  }

 private:
  Inner inner_;
  std::shared_ptr<Hold> hold_;
};

/// The epoll set inside an io_context, or -1. Asio does not tell its number, but the kernel tells
/// what each epoll set of this process watches: ours is the one that watches a descriptor which
/// only that io_context knows.
inline int epoll_of(net::io_context& io) {
  net::posix::stream_descriptor probe(io, ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  const std::string wanted = std::to_string(probe.native_handle());
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", ignored)) {
    if (std::filesystem::read_symlink(entry.path(), ignored) != "anon_inode:[eventpoll]") continue;
    std::ifstream info("/proc/self/fdinfo/" + entry.path().filename().string());
    std::string word;
    while (info >> word) {
      if (word == "tfd:" && info >> word && word == wanted) {
        return std::atoi(entry.path().filename().c_str());
      }
    }
  }
  return -1;
}

/// Calls one of Asio's ways to run handlers.
template <typename Run>
std::size_t guarded(Worker& worker, Run&& run) {
  try {
    return run();
  } catch (...) {
    worker.escaped(std::current_exception());
    return 1;
  }
}

/// Runs handlers that are ready. True if there may be more: under load there always are, and the
/// worker's own events have to have their turn.
inline bool run_some(net::io_context& io, Worker& worker) {
  constexpr int kTurn = 256;
  for (int i = 0; i < kTurn; ++i) {
    if (guarded(worker, [&] { return io.poll_one(); }) == 0) return false;
  }
  return true;
}

}  // namespace detail

/// Gives this worker's connections of one listener, as tcp::socket. A connection that nobody
/// accepts stays with the master, for another worker.
class acceptor {
 public:
  using socket_type = boost::asio::ip::tcp::socket;

  acceptor(boost::asio::io_context& io, Worker& worker, const Endpoint& endpoint)
      : io_(io), worker_(worker), listener_(worker.open(endpoint)) {}
  acceptor(const acceptor&) = delete;
  acceptor& operator=(const acceptor&) = delete;
  /// A pending async_accept is destroyed without being called.
  ~acceptor() { worker_.want(listener_, nullptr); }

  /// void(boost::system::error_code, tcp::socket). One at a time.
  template <typename Token>
  auto async_accept(Token&& token) {
    return boost::asio::async_initiate<Token, void(boost::system::error_code, socket_type)>(
        [this](auto handler) { start(std::move(handler)); }, token);
  }

  /// "127.0.0.1:34567"
  [[nodiscard]] std::string local_address() const { return worker_.address(listener_); }
  [[nodiscard]] bool races() const { return worker_.races(listener_); }

 private:
  template <typename Handler>
  void start(Handler handler) {
    auto work = boost::asio::make_work_guard(
        boost::asio::get_associated_executor(handler, io_.get_executor()));
    // std::function wants to copy; the handler may only be movable.
    auto shared =
        std::make_shared<std::pair<Handler, decltype(work)>>(std::move(handler), std::move(work));
    auto deliver = [this, shared](Connection connection) {
      boost::system::error_code error;
      socket_type socket = adopt(std::move(connection), error);
      auto executor = shared->second.get_executor();
      boost::asio::post(executor, [shared, error, moved = std::move(socket)]() mutable {
        shared->second.reset();
        shared->first(error, std::move(moved));
      });
    };
    if (worker_.in_its_thread()) return worker_.want(listener_, std::move(deliver));
    worker_.post([this, deliver = std::move(deliver)] { worker_.want(listener_, deliver); });
  }

  socket_type adopt(Connection connection, boost::system::error_code& error) {
    const bool v6 = connection.peer().family == AF_INET6;
    Connection::Detached detached = connection.detach();
    socket_type socket(detail::holding_executor(io_.get_executor(),
                                                std::make_shared<Hold>(std::move(detached.hold))));
    socket.assign(v6 ? boost::asio::ip::tcp::v6() : boost::asio::ip::tcp::v4(), detached.fd, error);
    if (error) ::close(detached.fd);
    return socket;
  }

  boost::asio::io_context& io_;
  Worker& worker_;
  Worker::ListenerId listener_;
};

/// Lets `io` handle the worker's events while something else runs `io`.
class attachment : public std::enable_shared_from_this<attachment> {
 public:
  attachment(boost::asio::io_context& io, Worker& worker)
      : worker_(worker), events_(io, ::dup(worker.fd())) {}

  void wait() {
    events_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                       [self = shared_from_this()](boost::system::error_code error) {
                         if (error) return;
                         self->worker_.dispatch();
                         self->wait();
                       });
  }
  void stop() { events_.close(); }

 private:
  Worker& worker_;
  boost::asio::posix::stream_descriptor events_;
};

/// Runs `io` and the worker until the worker is to leave, or io.stop() is called. Gives
/// Worker::exit_code(), for main.
///
/// The worker's own epoll set is the outer one: in accept race the kernel spreads connections
/// (EPOLLEXCLUSIVE) only over processes that wait on that very set. Asio's is nested in it.
inline int run(boost::asio::io_context& io, Worker& worker) {
  auto work = boost::asio::make_work_guard(io);
  const int inner = detail::epoll_of(io);
  if (inner < 0) {
    // No /proc: connections are spread less evenly in accept race, all else is the same.
    auto attached = std::make_shared<attachment>(io, worker);
    attached->wait();
    while (!worker.finished() && !io.stopped()) {
      detail::guarded(worker, [&] { return io.run_one(); });
    }
    attached->stop();
    return worker.exit_code();
  }
  worker.watch(inner, [] {});
  while (!worker.finished()) {
    const bool more = detail::run_some(io, worker);
    if (io.stopped()) break;
    if (!worker.finished()) worker.dispatch(more ? 0 : -1);
  }
  return worker.exit_code();
}

/// The same with `io` on so many threads of its own. This thread handles the worker's events. At
/// the end handlers that run are waited for.
inline int run(boost::asio::io_context& io, Worker& worker, unsigned threads) {
  auto work = boost::asio::make_work_guard(io);
  std::vector<std::thread> pool;
  for (unsigned i = 0; i < threads; ++i) {
    pool.emplace_back([&] {
      while (!io.stopped()) detail::guarded(worker, [&] { return io.run(); });
      worker.post([] {});  // ends the wait below
    });
  }
  while (!worker.finished() && !io.stopped()) worker.dispatch(-1);
  io.stop();
  for (std::thread& thread : pool) thread.join();
  return worker.exit_code();
}

}  // namespace clusterd::asio
