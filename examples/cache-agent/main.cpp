// An agent program: it waits for a file to change, and tells all workers at once ("push"). What one
// process can see for all of them, they need not look for. See examples/cache/app.conf.
//
//     cache-agent FILE
#include <clusterd/agent.hpp>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <sys/inotify.h>
#include <unistd.h>

namespace {

/// The folder is watched and not the file, which may be replaced by another of its name.
class Watched {
 public:
  explicit Watched(const std::string& file)
      : name_(file.substr(file.rfind('/') + 1)), fd_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
    const std::string folder = file.substr(0, file.size() - name_.size());
    const auto changes = IN_CLOSE_WRITE | IN_MOVED_TO;
    if (fd_ < 0 || ::inotify_add_watch(fd_, folder.empty() ? "." : folder.c_str(), changes) < 0) {
      throw std::runtime_error("cannot watch " + file);
    }
  }
  Watched(const Watched&) = delete;
  Watched& operator=(const Watched&) = delete;
  ~Watched() { ::close(fd_); }

  [[nodiscard]] int fd() const { return fd_; }
  /// Since it was last asked.
  [[nodiscard]] bool has_changed() {
    alignas(inotify_event) char bytes[4096];
    bool changed = false;
    for (ssize_t got = 0; (got = ::read(fd_, bytes, sizeof bytes)) > 0;) {
      for (const char* at = bytes; at < bytes + got;) {
        const auto* event = reinterpret_cast<const inotify_event*>(at);
        if (event->len > 0 && name_ == event->name) changed = true;
        at += sizeof *event + event->len;
      }
    }
    return changed;
  }

 private:
  std::string name_;
  int fd_;
};

int run(const std::string& path) {
  clusterd::Agent agent;
  Watched file(path);
  agent.watch(file.fd(), [&] {
    if (file.has_changed()) agent.send_to_app("refresh", "\"push\"");
  });
  agent.ready();
  return agent.run();
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc > 1 ? argv[1] : "source.txt");
  } catch (const std::exception& error) {
    std::fprintf(stderr, "cache-agent: %s\n", error.what());
    return 1;
  }
}
