#include "master/runtime/open_listener.h"

#include "master/os/identity.h"

#include <fcntl.h>
#include <utility>

namespace clusterd::runtime {
namespace {

os::ListenerSpec::Kind to_os(config::Listen::Kind kind) {
  switch (kind) {
    case config::Listen::Kind::tcp:
      return os::ListenerSpec::Kind::tcp;
    case config::Listen::Kind::unix_socket:
      return os::ListenerSpec::Kind::unix_socket;
    case config::Listen::Kind::udp:
      return os::ListenerSpec::Kind::udp;
    case config::Listen::Kind::passed:
      break;
  }
  return os::ListenerSpec::Kind::tcp;
}

Result<os::ListenerSpec> spec_of(const config::Listen& listen) {
  os::ListenerSpec spec;
  spec.kind = to_os(listen.kind);
  spec.address = listen.address;
  spec.backlog = listen.backlog;
  spec.v6only = listen.v6only;
  spec.nodelay = listen.nodelay;
  spec.defer_accept = listen.defer_accept;
  spec.at_path.path = listen.path;
  spec.at_path.mode = listen.mode;
  if (!listen.owner.empty()) {
    const auto owner = os::find_user(listen.owner);
    if (!owner) return owner.error();
    spec.at_path.owner = *owner;
  }
  if (!listen.group.empty()) {
    const auto group = os::find_group(listen.group);
    if (!group) return group.error();
    spec.at_path.group = *group;
  }
  return spec;
}

/// What app.conf alone does not tell: it names a socket, and not of which kind.
Result<os::Listener> find_passed(const config::Listen& listen, const os::PassedSockets& passed) {
  auto socket = passed.find(listen.path);
  if (!socket) return socket.error();
  auto listener = os::Listener::adopt(std::move(*socket), "the passed socket " + listen.path);
  if (!listener) return listener.error();
  if (listener->is_datagram() && listen.policy != config::Policy::accept_race) {
    return make_error("the passed socket " + listen.path +
                      " is of UDP, which has no connections: it needs policy = \"accept-race\"");
  }
  if (!listener->has_ports() && listen.policy == config::Policy::sticky) {
    return make_error("the passed socket " + listen.path +
                      " is a Unix socket, whose clients have no address for policy = \"sticky\"");
  }
  return listener;
}

/// Opened or shared it is, or does not stay, non-blocking for all who have the socket.
Result<os::Listener> as_wanted(Result<os::Listener> listener, const config::Listen& listen) {
  if (!listener) return listener;
  const int flags = ::fcntl(listener->fd(), F_GETFL);
  const int wanted = listen.nonblocking ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
  if (flags < 0 || (wanted != flags && ::fcntl(listener->fd(), F_SETFL, wanted) < 0)) {
    return errno_error("make " + listener->text() +
                       (listen.nonblocking ? " non-blocking" : " blocking"));
  }
  return listener;
}

}  // namespace

Result<os::Listener> open_listener(const config::Listen& listen, const os::PassedSockets& passed) {
  if (listen.kind == config::Listen::Kind::passed) {
    return as_wanted(find_passed(listen, passed), listen);
  }
  // Of app.conf, a path is absolute.
  if (listen.kind == config::Listen::Kind::unix_socket && listen.path.starts_with('@')) {
    return os::Listener::open_abstract(listen.path.substr(1), listen.backlog);
  }
  const auto spec = spec_of(listen);
  if (!spec) return spec.error();
  return as_wanted(os::Listener::open(*spec), listen);
}

Result<os::Listener> open_at_once(const config::Listen& listen) {
  if (listen.kind != config::Listen::Kind::unix_socket || listen.path.starts_with('@')) {
    return open_listener(listen);
  }
  auto spec = spec_of(listen);
  if (!spec) return spec.error();
  spec->at_path.patience = os::UnixListenerSpec::Patience::none;
  return as_wanted(os::Listener::open(*spec), listen);
}

bool same_address(const config::Listen& a, const config::Listen& b) {
  if (a.kind != b.kind) return false;
  if (a.kind == config::Listen::Kind::unix_socket) return a.path == b.path;
  if (a.kind == config::Listen::Kind::passed) return a.path == b.path;
  return a.address.text() == b.address.text() && a.v6only == b.v6only;
}

bool is_same_place(const config::Listen& a, const config::Listen& b) {
  using Kind = config::Listen::Kind;
  if (same_address(a, b)) return true;
  const bool ip = a.kind == b.kind && (a.kind == Kind::tcp || a.kind == Kind::udp);
  const auto is_any = [](const config::Listen& one) {
    const std::string text = one.address.text();
    return text.starts_with("0.0.0.0:") || text.starts_with("[::]:");
  };
  if (!ip || !is_any(a) || !is_any(b) || a.address.port() != b.address.port()) return false;
  if (a.address.is_v6() == b.address.is_v6()) return true;
  return !(a.address.is_v6() ? a : b).v6only;
}

bool has_any_port(const config::Listen& listen) {
  using Kind = config::Listen::Kind;
  const bool is_ip = listen.kind == Kind::tcp || listen.kind == Kind::udp;
  return is_ip && listen.address.port() == 0;
}

Result<os::Listener> share_listener(const os::Listener& open, const config::Listen& listen) {
  const auto spec = spec_of(listen);
  if (!spec) return spec.error();
  return as_wanted(open.share(*spec), listen);
}

}  // namespace clusterd::runtime
