// A worker whose io_context runs on several threads: HTTP by hand, so that the threads are what is
// seen. Each connection has a strand of its own, as any program with threads needs.
//
//     clusterd start app.conf              with command = [".../threads-worker"]
//     threads-worker [127.0.0.1:8080]      this one alone
//
//     GET /           who answered
//     GET /tell       tells all workers of this cluster, by a message
//     GET /heard      how many messages this worker has had
#include <boost/asio.hpp>

#include <atomic>
#include <clusterd/asio.hpp>
#include <cstdio>
#include <exception>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <unistd.h>
#include <vector>

namespace {

namespace net = boost::asio;
using net::ip::tcp;

constexpr unsigned kThreads = 4;
constexpr std::size_t kLongestRequest = 8192;

class Session;

struct Program {
  std::atomic<int> heard{0};
  std::mutex mutex;
  std::set<std::weak_ptr<Session>, std::owner_less<>> sessions;
  net::io_context io{kThreads};
  clusterd::Worker worker;
};

class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(Program& program, tcp::socket socket)
      : program_(program), socket_(std::move(socket)), strand_(net::make_strand(program.io)) {}
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session() {
    const std::scoped_lock lock(program_.mutex);
    std::erase_if(program_.sessions, [](const auto& session) { return session.expired(); });
  }

  void start() {
    net::post(strand_, [self = shared_from_this()] { self->read(); });
  }

  /// No other request is waited for; one that is being answered is.
  void finish() {
    net::post(strand_, [self = shared_from_this()] {
      if (self->waits_) self->socket_.cancel();
    });
  }

 private:
  void read() {
    if (program_.worker.draining() && text_.empty() && answered_) return;
    waits_ = answered_;
    net::async_read_until(
        socket_, net::dynamic_buffer(text_, kLongestRequest), "\r\n\r\n",
        net::bind_executor(strand_, [self = shared_from_this()](auto error, std::size_t size) {
          self->waits_ = false;
          if (!error) self->answer(size);
        }));
  }

  void answer(std::size_t size) {
    const std::string request = text_.substr(0, size);
    text_.erase(0, size);
    std::string body = "handled by worker, pid is " + std::to_string(::getpid()) + "\n";
    // Any thread may send.
    if (request.starts_with("GET /tell ")) program_.worker.send_to_app("told", R"({"by":"http"})");
    if (request.starts_with("GET /heard ")) body = std::to_string(program_.heard.load()) + "\n";
    program_.worker.count_request();
    // A worker that drains says so, and the client takes its next request elsewhere.
    const bool last = program_.worker.draining() ||
                      request.find("\r\nConnection: close\r\n") != std::string::npos;
    text_out_ = "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) +
                (last ? "\r\nConnection: close" : "") + "\r\n\r\n" + body;
    net::async_write(
        socket_, net::buffer(text_out_),
        net::bind_executor(strand_, [self = shared_from_this(), last](auto error, std::size_t) {
          self->answered_ = true;
          if (!error && !last) self->read();
        }));
  }

  Program& program_;
  tcp::socket socket_;
  net::strand<net::io_context::executor_type> strand_;
  std::string text_;
  std::string text_out_;
  bool answered_ = false;  ///< at least one request
  bool waits_ = false;     ///< for another one
};

void accept(Program& program, clusterd::asio::acceptor& acceptor) {
  acceptor.async_accept([&](boost::system::error_code error, tcp::socket socket) {
    if (!error) {
      const auto session = std::make_shared<Session>(program, std::move(socket));
      session->start();
      const std::scoped_lock lock(program.mutex);
      program.sessions.insert(session);
    }
    accept(program, acceptor);
  });
}

int run(const char* address) {
  Program program;
  clusterd::asio::acceptor acceptor(program.io, program.worker, {"", address});
  program.worker.on_message("told", [&](const clusterd::Message&) { ++program.heard; });
  program.worker.on_drain([&] {
    std::vector<std::shared_ptr<Session>> open;
    {
      const std::scoped_lock lock(program.mutex);
      for (const auto& session : program.sessions) open.push_back(session.lock());
    }
    for (const auto& session : open) {
      if (session) session->finish();
    }
  });
  if (!program.worker.managed()) {
    std::printf("serving on %s\n", acceptor.local_address().c_str());
    std::fflush(stdout);
  }
  accept(program, acceptor);
  program.worker.ready();
  return clusterd::asio::run(program.io, program.worker, kThreads);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc > 1 ? argv[1] : "127.0.0.1:8080");
  } catch (const std::exception& error) {
    std::fprintf(stderr, "threads-worker: %s\n", error.what());
    return 1;
  }
}
