#include "agent/builtin_agent.h"

#include "agent/http_server.h"
#include "agent/log_writer.h"
#include "common/channel_client.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <optional>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace clusterd::agent {
namespace {

constexpr int kExitFailed = 1;
constexpr off_t kMostMetrics = 64 * 1024 * 1024;

int fail(const Error& error) {
  std::fprintf(stderr, "clusterd agent: %s\n", error.message().c_str());
  return kExitFailed;
}

void complain(const std::string& text) {
  std::fprintf(stderr, "clusterd agent: %s\n", text.c_str());
}

/// A file that may grow no more (RLIMIT_FSIZE) is an error of the write.
void ignore_too_large_files() {
  struct sigaction ignore{};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGXFSZ, &ignore, nullptr);
}

/// The text of a file in memory, or nullptr.
std::shared_ptr<const std::string> text_of(int fd) {
  struct stat file{};
  if (::fstat(fd, &file) < 0 || file.st_size > kMostMetrics) return nullptr;
  auto text = std::make_shared<std::string>(static_cast<std::size_t>(file.st_size), '\0');
  std::size_t size = 0;
  while (size < text->size()) {
    const ssize_t got =
        ::pread(fd, text->data() + size, text->size() - size, static_cast<off_t>(size));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return nullptr;
    size += static_cast<std::size_t>(got);
  }
  return text;
}

class Agent {
 public:
  explicit Agent(ChannelClient channel)
      : channel_(std::move(channel)),
        readable_(io_, channel_.fd()),
        inquiry_(io_, [this](const protocol::Report& report) { say(report); }),
        server_(io_, inquiry_),
        log_(io_, {.period_over = [this] { say(protocol::LogWritten{"", true}); },
                   .wrote = [this](const std::string& why) { say(protocol::LogWritten{why}); },
                   .complain = &complain}) {}
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;
  ~Agent() { readable_.release(); }  // the descriptor is the channel's

  [[nodiscard]] int run() {
    const auto welcome = channel_.hello();
    if (!welcome) return fail(welcome.error());
    if (!welcome->log) say(protocol::Ready{});
    // What came in one read with the welcome is here already.
    if (auto heard = hear(); !heard) return fail(heard.error());
    wait();
    io_.run();
    log_.finish();
    return failed_ ? fail(*failed_) : 0;
  }

 private:
  void wait() {
    readable_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                         [this](boost::system::error_code error) {
                           if (!error) read();
                         });
  }

  void read() {
    const auto alive = channel_.receive();
    if (!alive) return end(alive.error());
    if (!*alive) return end(std::nullopt);
    if (auto heard = hear(); !heard) return end(heard.error());
    wait();
  }

  Result<void> hear() {
    for (;;) {
      const auto message = channel_.next();
      if (!message) return message.error();
      if (!*message) return {};
      const auto done = std::visit([this](const auto& what) { return on(what); }, **message);
      if (!done) return done.error();
    }
  }

  Result<void> on(const protocol::ServeHttp& serve) {
    auto fds = channel_.take_fds(serve.fds);
    if (!fds) return fds.error();
    server_.listen(fds->empty() ? UniqueFd() : std::move(fds->front()));
    return {};
  }

  Result<void> on(const protocol::Reported& reported) {
    const auto fds = channel_.take_fds(reported.fds);
    if (!fds) return fds.error();
    inquiry_.answered(reported, fds->empty() ? nullptr : text_of(fds->front().get()));
    return {};
  }

  Result<void> on(const protocol::WriteLog& order) {
    auto fds = channel_.take_fds(order.fds);
    if (!fds) return fds.error();
    ignore_too_large_files();
    if (fds->empty()) {
      log_.begin_again(order.rules);
      return {};
    }
    auto begun = log_.begin(std::move(fds->front()), order.path, order.rules);
    if (!begun && order.must) return begun;
    say(protocol::Ready{});
    return {};
  }

  /// Nothing else of it is for this version's agent.
  template <typename Other>
  Result<void> on(const Other&) {
    return {};
  }

  void say(const auto& message) {
    if (auto said = channel_.send(encode(message)); !said) end(said.error());
  }

  void end(std::optional<Error> why) {
    failed_ = std::move(why);
    io_.stop();
  }

  boost::asio::io_context io_{1};
  ChannelClient channel_;
  boost::asio::posix::stream_descriptor readable_;
  Inquiry inquiry_;
  HttpServer server_;
  LogWriter log_;
  std::optional<Error> failed_;
};

}  // namespace

int run_builtin_agent() {
  auto channel = ChannelClient::from_environment();
  if (!channel) return fail(make_error("started without a master"));
  return Agent(std::move(*channel)).run();
}

}  // namespace clusterd::agent
