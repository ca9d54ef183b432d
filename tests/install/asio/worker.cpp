// Gives back what a client sends, with Asio.
#include <boost/asio.hpp>

#include <clusterd/asio.hpp>
#include <memory>

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

struct Session {
  tcp::socket socket;
  std::array<char, 64> text{};
};

void answer(const std::shared_ptr<Session>& session) {
  session->socket.async_read_some(
      asio::buffer(session->text), [session](boost::system::error_code error, std::size_t length) {
        if (error) return;
        asio::async_write(session->socket, asio::buffer(session->text, length),
                          [session](boost::system::error_code, std::size_t) {});
      });
}

void accept(clusterd::asio::acceptor& acceptor) {
  acceptor.async_accept([&acceptor](boost::system::error_code error, tcp::socket socket) {
    if (!error) answer(std::make_shared<Session>(Session{std::move(socket)}));
    accept(acceptor);
  });
}

}  // namespace

int main() {
  asio::io_context io;
  clusterd::Worker worker;
  clusterd::asio::acceptor acceptor(io, worker, clusterd::Endpoint("", "127.0.0.1:0"));
  accept(acceptor);
  worker.ready();
  return clusterd::asio::run(io, worker);
}
