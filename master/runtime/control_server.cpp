#include "master/runtime/control_server.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace clusterd::runtime {
namespace {

constexpr std::size_t kMostClients = 16;
constexpr std::size_t kLongestRequest = 4096;
constexpr auto kPatience = std::chrono::seconds(10);
constexpr auto kPause = std::chrono::milliseconds(100);

}  // namespace

ControlServer::ControlServer(boost::asio::io_context& io, os::UnixListener socket,
                             VerbAnswer answer)
    : io_(io),
      socket_(std::move(socket)),
      acceptor_(io, ::fcntl(socket_.fd(), F_DUPFD_CLOEXEC, 0)),
      pause_(io),
      answer_(std::move(answer)) {
  wait();
}

void ControlServer::wait() {
  acceptor_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                       [this](boost::system::error_code error) {
                         if (error) return;
                         if (accept_all()) return wait();
                         // Out of descriptors: the same connection would wake us again at once.
                         pause_.expires_after(kPause);
                         pause_.async_wait([this](boost::system::error_code stopped) {
                           if (!stopped) wait();
                         });
                       });
}

/// False if there may be more that cannot be accepted now.
bool ControlServer::accept_all() {
  for (std::size_t budget = kMostClients; budget > 0; --budget) {
    UniqueFd fd(::accept4(socket_.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd) return errno == EAGAIN || errno == EINTR || errno == ECONNABORTED;
    const auto peer = os::peer_of(fd.get());
    if (!peer || (peer->uid != 0 && peer->uid != ::geteuid())) continue;
    if (clients_.size() >= kMostClients) drop(most_silent());
    serve(std::move(fd));
  }
  return true;
}

/// The client whose patience ends first has said nothing for longest.
std::uint64_t ControlServer::most_silent() const {
  return std::min_element(clients_.begin(), clients_.end(),
                          [](const auto& a, const auto& b) {
                            return a.second.patience->expiry() < b.second.patience->expiry();
                          })
      ->first;
}

void ControlServer::serve(UniqueFd fd) {
  const std::uint64_t id = next_id_++;
  Client& client = clients_[id];
  client.patience = std::make_unique<boost::asio::steady_timer>(io_);
  client.channel = Channel::open(io_, std::move(fd), kLongestRequest,
                                 {.line = [this, id](std::string_view line) { on_line(id, line); },
                                  .ended = [this, id] { drop(id); },
                                  .broken = [this, id](const std::string&) { drop(id); }});
  be_patient(id);
}

void ControlServer::on_line(std::uint64_t id, std::string_view line) {
  const std::shared_ptr<Channel> channel = clients_.at(id).channel;
  channel->send(answer_line(line, answer_) + "\n");
  if (clients_.contains(id)) be_patient(id);
}

void ControlServer::be_patient(std::uint64_t id) {
  auto& timer = *clients_.at(id).patience;
  timer.expires_after(kPatience);
  timer.async_wait([this, id](boost::system::error_code error) {
    if (!error) drop(id);
  });
}

void ControlServer::drop(std::uint64_t id) {
  const auto found = clients_.find(id);
  if (found == clients_.end()) return;
  found->second.channel->close();
  clients_.erase(found);
}

}  // namespace clusterd::runtime
