// A worker that answers from memory what is in a file, and how that came there. Nobody waits for
// the file: it is read at the start, and then when somebody says so.
//
// - All workers read it every ten minutes, whatever has happened (the schedule "force-refresh").
// - One of them looks every ten seconds whether it has changed ("pull-refresh"), and tells all.
// - The agent (cache-agent), if there is one, tells all at the moment when it changes.
//
//     clusterd start examples/cache/app.conf       all of it
//     cache-worker FILE [127.0.0.1:8080]           this one alone, which hears no schedule
#include <cerrno>
#include <clusterd/worker.hpp>
#include <cstdio>
#include <exception>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace {

/// What the file was when it was read, and by whose word that was done.
class Cache {
 public:
  explicit Cache(std::string file) : file_(std::move(file)) {}

  void refresh(std::string_view by) {
    read_at_ = changed_at();
    std::ifstream file(file_);
    text_.assign(std::istreambuf_iterator<char>(file), {});
    by_ = by;
    ++times_;
  }
  [[nodiscard]] bool is_stale() const { return changed_at() != read_at_; }
  [[nodiscard]] std::string answer() const {
    std::string body = "my pid is " + std::to_string(::getpid()) + ", refreshed " +
                       std::to_string(times_) + " times, last by " + by_ + "\n" + text_;
    return "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " +
           std::to_string(body.size()) + "\r\n\r\n" + body;
  }

 private:
  [[nodiscard]] std::pair<long, long> changed_at() const {
    struct stat file{};
    if (::stat(file_.c_str(), &file) < 0) return {};
    return {file.st_mtim.tv_sec, file.st_mtim.tv_nsec};
  }

  std::string file_;
  std::string text_;
  std::string by_;
  std::pair<long, long> read_at_;
  unsigned times_ = 0;
};

/// Answers each connection once, whatever it asks.
class Server {
 public:
  Server(clusterd::Worker& worker, const Cache& cache) : worker_(worker), cache_(cache) {}

  void serve(clusterd::Connection connection) {
    const int fd = connection.fd();
    open_.emplace(fd, std::move(connection));
    worker_.watch(fd, [this, fd] { on_request(fd); });
  }

 private:
  void on_request(int fd) {
    char request[4096];
    const ssize_t got = ::recv(fd, request, sizeof request, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got > 0) {
      const std::string answer = cache_.answer();
      (void)!::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL);
      worker_.count_request();
    }
    worker_.unwatch(fd);
    open_.erase(fd);
  }

  clusterd::Worker& worker_;
  const Cache& cache_;
  std::map<int, clusterd::Connection> open_;
};

int run(const std::string& file, const char* address) {
  clusterd::Worker worker;
  Cache cache(file);
  Server server(worker, cache);
  worker.on("refresh", [&](const clusterd::Message& by) { cache.refresh(by.data); });
  worker.on_schedule("force-refresh", [&](const clusterd::Run&) { cache.refresh("\"force\""); });
  worker.on_schedule("pull-refresh", [&](const clusterd::Run&) {
    if (cache.is_stale()) worker.send_to_app("refresh", "\"pull\"");
  });
  const auto id = worker.listen(clusterd::Endpoint("", address),
                                [&](clusterd::Connection one) { server.serve(std::move(one)); });
  cache.refresh("\"start\"");
  if (!worker.managed()) std::printf("serving on %s\n", worker.address(id).c_str());
  std::fflush(stdout);
  worker.ready();
  return worker.run();
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc > 1 ? argv[1] : "source.txt", argc > 2 ? argv[2] : "127.0.0.1:8080");
  } catch (const std::exception& error) {
    std::fprintf(stderr, "cache-worker: %s\n", error.what());
    return 1;
  }
}
