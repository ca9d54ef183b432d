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
#include <clusterd/worker.hpp>
#include <cstdio>
#include <exception>
#include <memory>
#include <set>
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
  explicit Server(clusterd::Worker& its_worker) : worker(its_worker) {}

  clusterd::Worker& worker;
  std::string answer = "handled by worker, pid is " + std::to_string(::getpid()) + "\n";
  std::set<Session*> idle;  ///< between two requests
};

/// One connection: wait for a request, read it, write the answer, again.
class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(tcp::socket socket, Server& server) : stream_(std::move(socket)), server_(server) {}
  ~Session() { server_.idle.erase(this); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void wait() {
    stream_.expires_after(kIdle);
    server_.idle.insert(this);
    stream_.async_read_some(buffer_.prepare(kFirstRead),
                            [self = shared_from_this()](beast::error_code error, std::size_t got) {
                              self->server_.idle.erase(self.get());
                              if (error) return self->close();
                              self->buffer_.commit(got);
                              self->read();
                            });
  }

  void close() {
    beast::error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
    stream_.close();
  }

 private:
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
    if (buffer_.size() > 0) {
      read();  // the client did not wait for our answer
    } else {
      wait();
    }
  }

  beast::tcp_stream stream_;
  Server& server_;
  beast::flat_buffer buffer_;
  http::request<http::string_body> request_;
  http::response<http::string_body> response_;
};

void accept(clusterd::asio::acceptor& acceptor, Server& server) {
  acceptor.async_accept([&](beast::error_code error, tcp::socket socket) {
    if (!error) {
      socket.set_option(tcp::no_delay(true), error);
      std::make_shared<Session>(std::move(socket), server)->wait();
    }
    accept(acceptor, server);
  });
}

int run(const char* address) {
  boost::asio::io_context io{1};
  clusterd::Worker worker;
  Server server(worker);
  clusterd::asio::acceptor acceptor(io, worker, clusterd::Endpoint("", address));
  worker.on_drain([&server] {
    const auto idle = server.idle;  // closing one takes it out of the set, in its own time
    for (Session* session : idle) session->close();
  });
  accept(acceptor, server);
  if (!worker.managed()) std::printf("serving on http://%s\n", acceptor.local_address().c_str());
  std::fflush(stdout);
  worker.ready();
  return clusterd::asio::run(io, worker);
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
