#pragma once

#include "clusterd/messenger.hpp"
#include "clusterd/run.hpp"

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

/// The clusterd worker library: a program that takes its connections from clusterd, or, started by
/// hand, binds and accepts for itself, with the same code.
///
///     clusterd::Worker worker;
///     worker.listen("127.0.0.1:8080", [](clusterd::Connection connection) { ... });
///     worker.ready();
///     return worker.run();
///
/// Threads: everything of one Worker is called from the one thread that runs it, and it calls its
/// handlers there, but any thread may send(), request(), reply() and post(), count_request(),
/// commit suicide(), read active() and draining(), and use and close a Connection that it was
/// given.
///
/// What goes wrong at start (no such listener, a port in use) is thrown as std::runtime_error or
/// std::system_error. From then on nothing is: an exception that escapes a handler is said on
/// stderr in one line and becomes suicide(what()). The worker goes on with what it has open, and
/// its master starts another one at once.
namespace clusterd {

namespace detail {
struct Tally;
struct WorkerState;
}  // namespace detail

// This interface goes with the exact version of the library, and its symbols say which: a program
// does not start with another one's shared library. (That of worker.h does, and is meant to.)
inline namespace [[gnu::visibility("default")]] v0_1_0 {

/// Where connections come from: under clusterd the listener called `name` in app.conf ("" = the
/// only one there is), without clusterd the address to bind.
struct Endpoint {
  std::string name;
  std::string address;

  Endpoint(std::string listener_name, std::string own_address)
      : name(std::move(listener_name)), address(std::move(own_address)) {}
  /// "127.0.0.1:8080" is both; a plain name ("http") works under clusterd only.
  Endpoint(std::string_view both)
      : name(both), address(both.find(':') == std::string_view::npos ? "" : both) {}
  Endpoint(const char* both) : Endpoint(std::string_view(both)) {}
  Endpoint(const std::string& both) : Endpoint(std::string_view(both)) {}
};

/// The client's end of a connection.
struct Peer {
  std::uint16_t family = 0;  ///< AF_INET or AF_INET6
  std::uint16_t port = 0;
  std::uint8_t address[16] = {};  ///< 4 or 16 bytes, network order

  /// "192.0.2.7:50123", "[2001:db8::7]:50123"
  [[nodiscard]] std::string text() const;
};

/// Counts one connection as open for as long as it lives. A worker that drains leaves when the last
/// one is gone.
class Hold {
 public:
  Hold() = default;
  explicit Hold(std::shared_ptr<detail::Tally> tally);
  Hold(Hold&&) noexcept = default;
  Hold& operator=(Hold&& other) noexcept;
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;
  ~Hold();

 private:
  friend class Connection;

  std::shared_ptr<detail::Tally> tally_;
};

/// A connected, non-blocking socket. Keep it for as long as the connection lasts.
class Connection {
 public:
  Connection(int fd, const Peer& peer, Hold hold) noexcept;
  Connection(Connection&& other) noexcept;
  Connection& operator=(Connection&& other) noexcept;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { close(); }

  [[nodiscard]] int fd() const noexcept { return fd_; }
  [[nodiscard]] const Peer& peer() const noexcept { return peer_; }

  /// Shuts the connection down and closes it. The shutdown is what the client sees at once, even
  /// while the master has not closed its copy yet.
  void close() noexcept;

  /// Gives the socket to another owner, with what counts it as open: keep both together.
  struct Detached {
    int fd;
    Hold hold;
  };
  [[nodiscard]] Detached detach() noexcept;

 private:
  int fd_;
  Peer peer_;
  Hold hold_;
};

/// Its messages are those of a Messenger.
class Worker : public Messenger {
 public:
  using Handler = std::function<void(Connection)>;
  using RunHandler = std::function<void(Run)>;
  /// Number of an opened listener.
  enum class ListenerId : std::uint32_t {};

  /// Says hello if clusterd started this program.
  Worker();
  Worker(Worker&&) noexcept;
  Worker& operator=(Worker&&) noexcept;
  ~Worker();

  /// clusterd started this program (and may be gone since).
  [[nodiscard]] bool managed() const;

  /// Every connection of the listener goes to `handler`, one at a time.
  ListenerId listen(const Endpoint& endpoint, Handler handler);

  /// Opens a listener that gives a connection only when asked for one, as Asio's acceptors do.
  /// What is not asked for stays with the master, which gives it to another worker in time.
  [[nodiscard]] ListenerId open(const Endpoint& endpoint);
  /// The next connection goes to `handler`, which may be called before this returns. One request
  /// at a time and listener; an empty handler takes the request back.
  void want(ListenerId listener, Handler handler);

  /// A UDP listener ("udp://127.0.0.1:5353" under clusterd by that name or its own; bound here
  /// without): a bound, non-blocking socket, shared by all workers, of which each gets the
  /// datagrams that it reads first. It belongs to the Worker. When the worker drains, stop reading.
  [[nodiscard]] int datagram(const Endpoint& endpoint);

  /// The address that is really served ("127.0.0.1:34567" where port 0 was asked for).
  [[nodiscard]] std::string address(ListenerId listener) const;
  /// The listener is shared by the workers, which accept for themselves (accept race).
  [[nodiscard]] bool races(ListenerId listener) const;

  /// Start-up is over: connections may come.
  void ready();

  /// Called once when no new connection will come: finish what is open, close what is idle.
  void on_drain(std::function<void()> callback);
  /// True from then on, or from suicide(), which is earlier.
  [[nodiscard]] bool draining() const;

  /// "Something is wrong with me: replace me now." Any thread may say it; the first time counts.
  /// The master starts a replacement at once; this worker takes no new connection from this moment,
  /// calls on_drain, finishes what is open, and run() returns 1 when the last connection has ended,
  /// or shortly before the master's drain_timeout is over and TERM would come (after 5 s without a
  /// master). Of the reason the first 1,024 bytes count.
  void suicide(std::string_view reason);
  /// For a loop of one's own: suicide() with the text of an exception that escaped from there, said
  /// on stderr as well, as dispatch() does with one that escapes a handler. Any thread may.
  void escaped(const std::exception_ptr& exception) noexcept;

  /// Called for each run of this [[schedule]] that is this process's to do. Before ready(): who has
  /// no handler gets a message in its place. An exception fails the run, and nothing else.
  void on_schedule(std::string_view schedule, RunHandler handler);

  /// Calls `call` from dispatch(), in the thread that runs the worker. Any thread may.
  void post(std::function<void()> call);
  /// This is the thread that called dispatch() last or, before that, made the worker. Any thread
  /// may ask.
  [[nodiscard]] bool in_its_thread() const;

  /// For `clusterd status`. Any thread may.
  void count_request();
  /// Connections open now.
  [[nodiscard]] std::uint32_t active() const;

  /// Handles events until it is time to leave. Gives exit_code().
  int run();

  // With a loop of one's own: watch() its pollable descriptor, and run(); or poll fd() for reading,
  // call dispatch(), and leave when finished(). In accept race the first is better: the kernel
  // wakes one process a connection only if each waits in the very epoll set the listener is in.

  [[nodiscard]] int fd() const;
  /// Handles what there is without waiting, or waits up to `timeout_ms` (-1 = for ever) for it.
  /// Does not throw what a handler does: see suicide().
  void dispatch(int timeout_ms = 0);
  /// Drained: no connection is open and none will come. Also once the time is over that a worker
  /// whose master died, or that committed suicide, may take.
  [[nodiscard]] bool finished() const;
  /// For main to return: 1 after a suicide, else 0.
  [[nodiscard]] int exit_code() const;
  /// dispatch() also watches `fd` and calls `on_readable` while it is readable: another loop's
  /// pollable descriptor (uv_backend_fd, an epoll set) can so be driven by run().
  void watch(int fd, std::function<void()> on_readable);
  /// Before `fd` is closed: the kernel forgets a closed descriptor only when the last copy of it is
  /// closed, and of a connection the master may have one, a moment more.
  void unwatch(int fd);

 private:
  explicit Worker(std::unique_ptr<detail::WorkerState> state);

  std::unique_ptr<detail::WorkerState> state_;
};

}  // namespace v0_1_0
}  // namespace clusterd
