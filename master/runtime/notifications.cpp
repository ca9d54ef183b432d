#include "master/runtime/notifications.h"

#include <utility>

namespace clusterd::runtime {

struct Notifications::Ear {
  Ear(boost::asio::io_context& io, os::NotifySocket opened)
      : socket(std::move(opened)), readable(io, socket.fd()) {}
  ~Ear() { readable.release(); }  // the descriptor is the socket's
  Ear(const Ear&) = delete;
  Ear& operator=(const Ear&) = delete;

  os::NotifySocket socket;
  boost::asio::posix::stream_descriptor readable;
  pid_t pid = 0;
  std::string status;
};

Notifications::Notifications(boost::asio::io_context& io, Heard heard)
    : io_(io), heard_(std::move(heard)) {}

Notifications::~Notifications() = default;

Result<std::string> Notifications::open(ChildId child) {
  auto socket = os::NotifySocket::open();
  if (!socket) return socket.error();
  std::string address = socket->address();
  ears_[child] = std::make_unique<Ear>(io_, std::move(*socket));
  return address;
}

void Notifications::started(ChildId child, pid_t pid) {
  const auto found = ears_.find(child);
  if (found == ears_.end()) return;
  found->second->pid = pid;
  wait(child, *found->second);
}

void Notifications::close(ChildId child) { ears_.erase(child); }

std::string Notifications::status(ChildId child) const {
  const auto found = ears_.find(child);
  return found == ears_.end() ? std::string() : found->second->status;
}

void Notifications::wait(ChildId child, Ear& ear) {
  ear.readable.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                          [this, child](boost::system::error_code error) {
                            if (!error) listen(child);
                          });
}

void Notifications::listen(ChildId child) {
  const auto found = ears_.find(child);
  if (found == ears_.end()) return;  // closed when this was on its way
  Ear& ear = *found->second;
  const std::vector<notify::Said> all = ear.socket.receive(ear.pid);
  wait(child, ear);
  for (const notify::Said& said : all) {
    if (said.status) ear.status = *said.status;
  }
  for (const notify::Said& said : all) {
    if (!ears_.contains(child)) return;
    heard_(child, said);
  }
}

}  // namespace clusterd::runtime
