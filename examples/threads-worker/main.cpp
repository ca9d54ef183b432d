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

#include <array>
#include <atomic>
#include <clusterd/asio.hpp>
#include <clusterd/sessions.hpp>
#include <cstdio>
#include <exception>
#include <memory>
#include <string>
#include <unistd.h>

namespace {

namespace net = boost::asio;
using net::ip::tcp;

constexpr unsigned kThreads = 4;
constexpr std::size_t kLongestRequest = 8192;

class Session;

struct Program {
  std::atomic<int> heard{0};
  clusterd::Sessions<Session> sessions;
  net::io_context io{kThreads};
  clusterd::Worker worker;
};

class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(Program& program, tcp::socket socket)
      : program_(program), socket_(std::move(socket)), strand_(net::make_strand(program.io)) {}
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void start() {
    place_ = program_.sessions.add(weak_from_this());
    net::post(strand_, [self = shared_from_this()] { self->wait(); });
  }

  /// The worker drains: who is between two requests is told to come back. A request that has begun
  /// to arrive is answered, and so is the first one of a connection, whenever it comes.
  void finish() {
    net::post(strand_, [self = shared_from_this()] {
      boost::system::error_code error;
      const bool idle = self->waits_ && self->answered_ && self->socket_.available(error) == 0;
      if (idle) self->close();
    });
  }

 private:
  void wait() {
    waits_ = true;
    socket_.async_read_some(
        net::buffer(first_),
        net::bind_executor(strand_, [self = shared_from_this()](auto error, std::size_t size) {
          self->waits_ = false;
          if (error) return self->close();
          self->text_.assign(self->first_.data(), size);
          self->read();
        }));
    if (program_.worker.draining()) finish();  // since the last answer was made
  }

  void read() {
    net::async_read_until(
        socket_, net::dynamic_buffer(text_, kLongestRequest), "\r\n\r\n",
        net::bind_executor(strand_, [self = shared_from_this()](auto error, std::size_t size) {
          if (error) return self->close();
          self->answer(size);
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
          if (error || last) return self->close();
          if (self->text_.empty()) return self->wait();
          self->read();  // the client did not wait for our answer
        }));
  }

  void close() {
    boost::system::error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
    socket_.close(ignored);
  }

  Program& program_;
  tcp::socket socket_;
  net::strand<net::io_context::executor_type> strand_;
  std::array<char, 1024> first_;  ///< of a request
  std::string text_;
  std::string text_out_;
  bool answered_ = false;  ///< at least one request
  bool waits_ = false;     ///< for another one
  clusterd::Sessions<Session>::Place place_;
};

void accept(Program& program, clusterd::asio::acceptor& acceptor) {
  acceptor.async_accept([&](boost::system::error_code error, tcp::socket socket) {
    if (!error) {
      std::make_shared<Session>(program, std::move(socket))->start();
    }
    accept(program, acceptor);
  });
}

int run(const char* address) {
  Program program;
  clusterd::asio::acceptor acceptor(program.io, program.worker, {"", address});
  program.worker.on_message("told", [&](const clusterd::Message&) { ++program.heard; });
  program.worker.on_drain(
      [&] { program.sessions.each([](Session& session) { session.finish(); }); });
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
