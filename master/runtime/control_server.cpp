#include "master/runtime/control_server.h"

#include "common/json.h"

#include <sys/socket.h>
#include <unistd.h>

namespace clusterd::runtime {
namespace {

constexpr std::size_t kMostClients = 16;
constexpr std::size_t kLongestRequest = 4096;
constexpr auto kPatience = std::chrono::seconds(10);

std::string refusal(std::string_view why) {
  JsonWriter json;
  json.begin_object().member("ok", false).member("error", why).end_object();
  return json.take();
}

}  // namespace

ControlServer::ControlServer(boost::asio::io_context& io, os::ControlSocket socket, Answer answer)
    : io_(io),
      socket_(std::move(socket)),
      acceptor_(io, ::dup(socket_.fd())),
      answer_(std::move(answer)) {
  wait();
}

void ControlServer::wait() {
  acceptor_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                       [this](boost::system::error_code error) {
                         if (error) return;
                         accept_all();
                         wait();
                       });
}

void ControlServer::accept_all() {
  for (std::size_t budget = kMostClients; budget > 0; --budget) {
    UniqueFd fd(::accept4(socket_.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd) return;
    const auto peer = os::peer_of(fd.get());
    if (!peer || (peer->uid != 0 && peer->uid != ::geteuid())) continue;
    // The one who has waited longest for its own next line makes room.
    if (clients_.size() >= kMostClients) drop(clients_.begin()->first);
    serve(std::move(fd));
  }
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
  const auto request = check_json(line);
  const auto verb = request ? request->string("verb") : std::nullopt;
  if (!verb) {
    channel->send(refusal("a request is a line such as {\"verb\":\"status\"}") + "\n");
  } else if (auto answer = answer_(*verb, *request)) {
    channel->send(*answer + "\n");
  } else {
    channel->send(refusal("no such verb: " + *verb) + "\n");
  }
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
