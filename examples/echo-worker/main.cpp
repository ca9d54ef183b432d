// A worker without Asio, in the loop that the library brings: echoes lines until the client is
// done.
//
//     clusterd start app.conf              with command = [".../echo-worker"]
//     echo-worker [127.0.0.1:7000]         this one alone
#include <clusterd/worker.hpp>
#include <cstdio>
#include <exception>
#include <list>
#include <sys/socket.h>
#include <unistd.h>

namespace {

/// A connection and what watches it.
using Connections = std::list<clusterd::Connection>;

/// True while the client may send more.
bool echo(int fd) {
  char text[4096];
  const ssize_t got = ::recv(fd, text, sizeof text, 0);
  if (got <= 0) return got < 0 && errno == EAGAIN;
  // A client that does not read what it sent is not served: this program has no queue for it.
  return ::send(fd, text, static_cast<std::size_t>(got), MSG_NOSIGNAL) == got;
}

int run(const char* address) {
  clusterd::Worker worker;
  Connections open;
  const auto id =
      worker.listen(clusterd::Endpoint("", address), [&](clusterd::Connection connection) {
        open.push_front(std::move(connection));
        const auto self = open.begin();
        worker.watch(self->fd(), [&worker, &open, self] {
          if (echo(self->fd())) return;
          worker.unwatch(self->fd());
          open.erase(self);
        });
      });
  // A conversation has no natural end: at the drain the clients are told to come back.
  worker.on_drain([&] {
    for (const auto& connection : open) ::shutdown(connection.fd(), SHUT_WR);
  });
  if (!worker.managed()) std::printf("serving on %s\n", worker.address(id).c_str());
  std::fflush(stdout);
  worker.ready();
  return worker.run();
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc > 1 ? argv[1] : "127.0.0.1:7000");
  } catch (const std::exception& error) {
    std::fprintf(stderr, "echo-worker: %s\n", error.what());
    return 1;
  }
}
