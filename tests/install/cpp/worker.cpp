// Gives back what a client sends.
#include <clusterd/worker.hpp>
#include <poll.h>
#include <unistd.h>

int main() {
  clusterd::Worker worker;
  worker.listen(clusterd::Endpoint("", "127.0.0.1:0"), [&worker](clusterd::Connection connection) {
    pollfd client{connection.fd(), POLLIN, 0};
    char text[64];
    if (::poll(&client, 1, 5000) != 1) return;
    const ssize_t length = ::read(client.fd, text, sizeof text);
    if (length > 0 && ::write(client.fd, text, static_cast<std::size_t>(length)) == length) {
      worker.count_request();
    }
  });
  worker.ready();
  return worker.run();
}
