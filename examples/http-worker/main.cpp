// An HTTP server on Boost.Beast that runs on all cores under clusterd, and by itself without it:
//
//     clusterd start config/app.conf        as many of these as there are CPUs
//     http-worker [127.0.0.1:8080]          this one alone
//
// It answers every request with its process number, keeps connections alive, and counts requests.
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

#include <chrono>
#include <clusterd/asio.hpp>
#include <clusterd/sessions.hpp>
#include <clusterd/worker.hpp>
#include <cstdio>
#include <exception>
#include <memory>
#include <string>

namespace beast = boost::beast;
namespace http = beast::http;
using tcp = boost::asio::ip::tcp;

namespace {

constexpr auto kIdle = std::chrono::seconds(60);
constexpr std::size_t kFirstRead = 4096;

class Session;

/// What the sessions share.
struct Server {
  std::string answer = "handled by worker, pid is " + std::to_string(::getpid()) + "\n";
  clusterd::Sessions<Session> sessions;  // before `io`, whose end ends the sessions
  boost::asio::io_context io{1};
  clusterd::Worker worker;
};

/// One connection: wait for a request, read it, write the answer, again.
class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(tcp::socket socket, Server& server) : stream_(std::move(socket)), server_(server) {}
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void start() {
    place_ = server_.sessions.add(weak_from_this());
    wait();
  }

  /// The worker drains. Who is between two requests is told to come back; for who has not asked
  /// anything yet, and for a request that has begun to arrive, there is one more answer.
  void finish() {
    beast::error_code error;
    const bool idle = waits_ && answered_ && stream_.socket().available(error) == 0;
    if (idle) close();
  }

 private:
  void wait() {
    stream_.expires_after(kIdle);
    waits_ = true;
    stream_.async_read_some(buffer_.prepare(kFirstRead),
                            [self = shared_from_this()](beast::error_code error, std::size_t got) {
                              self->waits_ = false;
                              if (error) return self->close();
                              self->buffer_.commit(got);
                              self->read();
                            });
  }

  /// Part of a request is here, and mostly all of it.
  void read() {
    request_ = {};
    http::async_read(stream_, buffer_, request_,
                     [self = shared_from_this()](beast::error_code error, std::size_t) {
                       if (error) return self->close();
                       self->write();
                     });
  }

  void write() {
    server_.worker.count_request();
    response_ = {};
    response_.version(request_.version());
    // A worker that drains says so, and the client comes back on a new connection.
    response_.keep_alive(request_.keep_alive() && !server_.worker.draining());
    response_.set(http::field::content_type, "text/plain");
    response_.body() = server_.answer;
    response_.prepare_payload();
    http::async_write(stream_, response_,
                      [self = shared_from_this()](beast::error_code error, std::size_t) {
                        if (error || !self->response_.keep_alive()) return self->close();
                        self->next();
                      });
  }

  void next() {
    answered_ = true;
    if (buffer_.size() > 0) {
      read();  // the client did not wait for our answer
    } else {
      wait();
      if (server_.worker.draining()) finish();  // since the answer was made
    }
  }

  void close() {
    beast::error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
    stream_.close();
  }

  beast::tcp_stream stream_;
  Server& server_;
  beast::flat_buffer buffer_;
  http::request<http::string_body> request_;
  http::response<http::string_body> response_;
  bool waits_ = false;     ///< for a request
  bool answered_ = false;  ///< at least one
  clusterd::Sessions<Session>::Place place_;
};

void accept(clusterd::asio::acceptor& acceptor, Server& server) {
  acceptor.async_accept([&](beast::error_code error, tcp::socket socket) {
    if (!error) {
      socket.set_option(tcp::no_delay(true), error);
      std::make_shared<Session>(std::move(socket), server)->start();
    }
    accept(acceptor, server);
  });
}

int run(const char* address) {
  Server server;
  clusterd::Worker& worker = server.worker;
  clusterd::asio::acceptor acceptor(server.io, worker, clusterd::Endpoint("", address));
  worker.on_drain([&] { server.sessions.each([](Session& session) { session.finish(); }); });
  accept(acceptor, server);
  if (!worker.managed()) std::printf("serving on http://%s\n", acceptor.local_address().c_str());
  std::fflush(stdout);
  worker.ready();
  return clusterd::asio::run(server.io, worker);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 2) {
    std::fprintf(stderr, "usage: http-worker [ADDRESS:PORT]\n");
    return 64;
  }
  try {
    return run(argc == 2 ? argv[1] : "127.0.0.1:8080");
  } catch (const std::exception& error) {
    std::fprintf(stderr, "http-worker: %s\n", error.what());
    return 1;
  }
}
