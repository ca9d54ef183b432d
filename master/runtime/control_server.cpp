#include "master/runtime/control_server.h"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace clusterd::runtime {
namespace {

// The next two are for each share.
constexpr std::size_t kMostClients = 16;
constexpr std::ptrdiff_t kMostWaiting = 8;
constexpr std::size_t kLongestRequest = 68 * 1024;       // a message is the longest, and its verb
constexpr std::size_t kMostAsked = 2 * kLongestRequest;  // bytes of those that wait
constexpr std::size_t kMostRequests = 16;  // that wait for the answer to one before them
constexpr auto kPatience = std::chrono::seconds(10);
constexpr auto kPause = std::chrono::milliseconds(100);

constexpr std::string_view kNotYou =
    R"({"ok":false,"error":"you are neither root nor the master's user nor in control.group"})"
    "\n";

}  // namespace

ControlServer::ControlServer(boost::asio::io_context& io, os::UnixListener socket,
                             VerbAnswer answer, std::set<std::string> at_once,
                             std::optional<gid_t> group)
    : io_(io),
      socket_(std::move(socket)),
      acceptor_(io, ::fcntl(socket_.fd(), F_DUPFD_CLOEXEC, 0)),
      pause_(io),
      answer_(std::move(answer)),
      at_once_(std::move(at_once)),
      group_(group) {
  wait();
}

ControlServer::~ControlServer() {
  while (!clients_.empty()) drop(clients_.begin()->first);
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
    const auto share = share_of(fd.get());
    if (!share) {
      // A new socket has room for it. Nothing is read from who may ask for nothing.
      static_cast<void>(::send(fd.get(), kNotYou.data(), kNotYou.size(), MSG_NOSIGNAL));
      continue;
    }
    make_room(*share);
    serve(std::move(fd), *share);
  }
  return true;
}

std::optional<ControlServer::Share> ControlServer::share_of(int socket) const {
  const auto peer = os::peer_of(socket);
  if (!peer) return std::nullopt;
  if (peer->uid == 0) return Share::root;
  if (peer->uid == ::geteuid()) return Share::own;
  if (group_ && os::peer_is_in(socket, *group_)) return Share::group;
  return std::nullopt;
}

/// Of too many clients of one share the most silent goes: whose patience ends first has said
/// nothing for longest. There is always one, since fewer may wait than may come.
void ControlServer::make_room(Share share) {
  std::size_t count = 0;
  auto most_silent = clients_.end();
  for (auto each = clients_.begin(); each != clients_.end(); ++each) {
    const Client& client = *each->second;
    if (client.share != share) continue;
    ++count;
    if (client.asked) continue;
    if (most_silent == clients_.end() ||
        client.patience.expiry() < most_silent->second->patience.expiry()) {
      most_silent = each;
    }
  }
  if (count >= kMostClients && most_silent != clients_.end()) drop(most_silent->first);
}

void ControlServer::serve(UniqueFd fd, Share share) {
  const Id id = next_id_++;
  auto client = std::make_shared<Client>(io_);
  client->share = share;
  client->channel = Channel::open(io_, std::move(fd), kLongestRequest,
                                  {.line = [this, id](std::string_view line) { on_line(id, line); },
                                   .ended = [this, id] { drop(id); },
                                   .broken = [this, id](const std::string&) { drop(id); }});
  clients_[id] = std::move(client);
  be_patient(id);
}

void ControlServer::on_line(Id id, std::string_view line) {
  Client& client = *clients_.at(id);
  std::size_t bytes = line.size();
  for (const std::string& waiting : client.requests) bytes += waiting.size();
  if (client.requests.size() == kMostRequests || bytes > kMostAsked) return drop(id);
  client.requests.emplace_back(line);
  proceed(id);
}

/// Answers what the client asked for, until it has to wait for an answer.
void ControlServer::proceed(Id id) {
  for (;;) {
    const auto found = clients_.find(id);
    if (found == clients_.end()) return;
    Client& client = *found->second;
    if (client.asked || client.requests.empty()) return;
    const std::string request = std::move(client.requests.front());
    client.requests.pop_front();
    client.patience.cancel();
    client.asked = std::make_shared<const Reply::Send>(
        [this, id](std::string line, bool last) { say(id, std::move(line), last); });
    const auto is_read = [this, id] {
      const auto waits = clients_.find(id);
      return waits == clients_.end() || waits->second->channel->is_read();
    };
    answer_line(request, Reply(client.asked, is_read),
                [this, id](const std::string& verb, const CheckedJson& json, const Reply& reply) {
                  return answer(id, verb, json, reply);
                });
  }
}

/// Not at once: whoever gave the last answer is still in the middle of what it does.
void ControlServer::proceed_later(Id id) {
  // The client is there as long as the server is.
  boost::asio::post(io_, [this, id, client = std::weak_ptr<Client>(clients_.at(id))] {
    if (!client.expired()) proceed(id);
  });
}

bool ControlServer::answer(Id id, const std::string& verb, const CheckedJson& request,
                           const Reply& reply) {
  const Share share = clients_.at(id)->share;
  const auto waiting = std::count_if(clients_.begin(), clients_.end(), [&](const auto& each) {
    return each.first != id && each.second->asked && each.second->share == share;
  });
  if (waiting < kMostWaiting || at_once_.contains(verb)) return answer_(verb, request, reply);
  reply.refuse("too many clients wait for an answer: " + std::to_string(waiting) +
               "; nothing was done");
  return true;
}

void ControlServer::say(Id id, std::string line, bool last) {
  const std::shared_ptr<Client> client = clients_.at(id);
  if (last) {
    client->asked.reset();
    be_patient(id);
    if (!client->requests.empty()) proceed_later(id);
  }
  client->channel->send(std::move(line) + "\n");
}

void ControlServer::be_patient(Id id) {
  auto& timer = clients_.at(id)->patience;
  timer.expires_after(kPatience);
  timer.async_wait([this, id](boost::system::error_code error) {
    if (error) return;
    // It may have been on its way here when the client spoke.
    const auto found = clients_.find(id);
    if (found == clients_.end() || found->second->asked) return;
    if (found->second->patience.expiry() <= boost::asio::steady_timer::clock_type::now()) drop(id);
  });
}

void ControlServer::drop(Id id) {
  const auto found = clients_.find(id);
  if (found == clients_.end()) return;
  found->second->channel->close();
  clients_.erase(found);
}

}  // namespace clusterd::runtime
