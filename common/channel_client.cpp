#include "common/channel_client.h"

#include "common/environment.h"
#include "common/fd_passing.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>

namespace clusterd {
namespace {

/// How long the master may take to answer. It does so within a turn of its loop; this is for a
/// machine that is suspended or hopelessly overloaded.
constexpr int kAnswerTimeoutMs = 30'000;

Result<void> wait_for(int fd, short what) {
  pollfd ready{fd, what, 0};
  for (;;) {
    const int n = ::poll(&ready, 1, kAnswerTimeoutMs);
    if (n > 0) return {};
    if (n == 0) return make_error("the master does not answer");
    if (errno != EINTR) return errno_error("poll the channel");
  }
}

}  // namespace

std::optional<ChannelClient> ChannelClient::from_environment() {
  const char* text = std::getenv(kEnvChannelFd);
  if (text == nullptr) return std::nullopt;
  int number = -1;
  const char* end = text + std::strlen(text);
  const auto [stop, status] = std::from_chars(text, end, number);
  const bool good = status == std::errc() && stop == end && ::fcntl(number, F_GETFD) >= 0;
  ::unsetenv(kEnvChannelFd);
  if (!good) return std::nullopt;
  ::fcntl(number, F_SETFD, FD_CLOEXEC);
  return ChannelClient(UniqueFd(number));
}

Result<protocol::Welcome> ChannelClient::hello(bool heartbeat, bool tells_heard) {
  const protocol::Hello hello{protocol::kVersion, heartbeat, tells_heard};
  if (auto sent = send(encode(hello)); !sent) return sent.error();
  for (;;) {
    auto message = wait();
    if (!message) return message.error();
    if (const auto* welcome = std::get_if<protocol::Welcome>(&*message)) {
      ::prctl(PR_SET_PDEATHSIG, 0);
      return *welcome;
    }
  }
}

Result<void> ChannelClient::send(const std::string& line) {
  for (std::size_t done = 0; done < line.size();) {
    const auto sent = send_with_fds(fd(), std::string_view(line).substr(done), {});
    if (sent) {
      done += *sent;
    } else if (sent.error().code != std::errc::resource_unavailable_try_again) {
      return sent.error();
    } else if (auto ready = wait_for(fd(), POLLOUT); !ready) {
      return ready.error();
    }
  }
  return {};
}

Result<bool> ChannelClient::receive() {
  std::array<std::byte, 64 * 1024> buffer;
  auto received = receive_with_fds(fd(), buffer, kMaxPassedFds);
  if (!received) {
    if (received.error().code == std::errc::resource_unavailable_try_again) return true;
    if (received.error().code == std::errc::connection_reset) return false;
    return received.error();
  }
  if (received->fds_lost) return make_error("no room for the descriptors that the master sent");
  for (UniqueFd& fd : received->fds) fds_.push_back(std::move(fd));
  if (received->bytes == 0) return false;
  lines_.add({reinterpret_cast<const char*>(buffer.data()), received->bytes});
  return true;
}

Result<std::optional<protocol::FromMaster>> ChannelClient::next() {
  const auto line = lines_.next();
  if (!line) {
    if (lines_.too_long()) return make_error("the master sent an endless line");
    return std::optional<protocol::FromMaster>{};
  }
  auto message = protocol::decode_from_master(*line);
  if (!message) return message.error();
  return std::optional<protocol::FromMaster>(std::move(*message));
}

Result<protocol::FromMaster> ChannelClient::wait() {
  for (;;) {
    auto message = next();
    if (!message) return message.error();
    if (*message) return **message;
    if (auto ready = wait_for(fd(), POLLIN); !ready) return ready.error();
    const auto alive = receive();
    if (!alive) return alive.error();
    if (!*alive) return make_error("the master closed the channel");
  }
}

Result<std::vector<UniqueFd>> ChannelClient::take_fds(std::int64_t count) {
  if (count < 0 || static_cast<std::size_t>(count) > fds_.size()) {
    return make_error("the master announced " + std::to_string(count) + " descriptors and sent " +
                      std::to_string(fds_.size()));
  }
  std::vector<UniqueFd> taken;
  for (; count > 0; --count) {
    taken.push_back(std::move(fds_.front()));
    fds_.pop_front();
  }
  return taken;
}

}  // namespace clusterd
