#include "master/runtime/node_listeners.h"

#include "common/environment.h"
#include "common/escaped.h"
#include "common/log.h"
#include "master/runtime/dispatcher.h"

#include <cstdlib>
#include <fstream>
#include <string_view>
#include <system_error>

namespace clusterd::runtime {
namespace {

using Kind = node::Endpoint::Kind;

constexpr int kNodesBacklog = 511;

Error refused(std::errc code) { return Error{std::make_error_code(code), "listen"}; }

/// A number below this can only be opened with privilege. Read at the start, as /proc cannot block.
unsigned first_unprivileged_port() {
  unsigned port = 1024;
  std::ifstream("/proc/sys/net/ipv4/ip_unprivileged_port_start") >> port;
  return port;
}

bool is_any(std::string_view host) { return host.empty() || host == "0.0.0.0" || host == "::"; }

bool is_v6(const node::Endpoint& at) {
  return at.address.find(':') != std::string::npos || at.kind == Kind::udp6;
}

/// Of a number that a worker says; empty if it is none.
Result<Address> address_of(const node::Endpoint& at, std::string_view any) {
  const std::string host = at.address.empty() ? std::string(any) : at.address;
  const bool brackets = host.find(':') != std::string::npos;
  return Address::parse((brackets ? "[" + host + "]" : host) + ":" + std::to_string(at.port));
}

std::string host(const Address& address) { return NodeListeners::host_of(address); }

bool same_host(const os::Listener& listener, const node::Endpoint& at) {
  const std::string its = host(listener.address());
  if (is_any(its) && is_any(at.address)) return true;
  const auto wanted = address_of(at, "::");
  return wanted.has_value() && host(*wanted) == its;
}

/// Its port, or any where none is asked for and app.conf leaves it to the kernel.
bool same_port(const os::Listener& listener, const config::Listen& listen,
               const node::Endpoint& at) {
  if (at.port != 0) return listener.address().port() == at.port;
  const bool ip =
      listen.kind == config::Listen::Kind::tcp || listen.kind == config::Listen::Kind::udp;
  return ip && listen.address.port() == 0;
}

/// What Node's own master goes by.
config::Policy policy_of(const config::Worker& worker) {
  if (worker.policy) return *worker.policy;
  constexpr const char* kName = "NODE_CLUSTER_SCHED_POLICY";
  const auto found = worker.env.find(kName);
  const char* ours = std::getenv(kName);
  const std::string said = found != worker.env.end() ? found->second : ours != nullptr ? ours : "";
  return said == "none" ? config::Policy::accept_race : config::Policy::round_robin;
}

config::Listen unix_listen(const node::Endpoint& at, const config::Worker& worker) {
  constexpr unsigned kUsualUmask = 022;
  config::Listen listen;
  listen.kind = config::Listen::Kind::unix_socket;
  listen.path = at.text().substr(std::string_view("unix:").size());
  listen.mode = 0777 & ~worker.umask.value_or(kUsualUmask);
  if (at.readable_all) listen.mode |= 0444;
  if (at.writable_all) listen.mode |= 0222;
  return listen;
}

/// All but the address of TCP and UDP.
config::Listen to_listen(const node::Endpoint& at, const config::Worker& worker) {
  config::Listen listen;
  if (at.kind == Kind::unix_socket) listen = unix_listen(at, worker);
  if (at.is_udp()) listen.kind = config::Listen::Kind::udp;
  listen.name = escaped(at.text());
  if (at.port == 0 && at.index > 0) listen.name += "#" + std::to_string(at.index);
  if (at.v6only) listen.name += " (IPv6 only)";
  listen.v6only = at.v6only;
  listen.backlog = kNodesBacklog;
  if (at.backlog > 0) listen.backlog = static_cast<int>(std::min<std::int64_t>(at.backlog, 65535));
  listen.policy = policy_of(worker);
  const bool no_address = at.kind == Kind::unix_socket && listen.policy == config::Policy::sticky;
  if (no_address) listen.policy = config::Policy::round_robin;
  return listen;
}

}  // namespace

std::string NodeListeners::host_of(const Address& address) {
  const std::string text = address.text();
  const std::string host = text.substr(0, text.rfind(':'));
  return host.starts_with('[') ? host.substr(1, host.size() - 2) : host;
}

NodeListeners::NodeListeners(Generations& generations, Dispatcher& dispatcher)
    : generations_(generations),
      dispatcher_(dispatcher),
      first_unprivileged_port_(first_unprivileged_port()) {}

Result<NodeListeners::Index> NodeListeners::find(Generation generation, const node::Endpoint& at) {
  if (at.kind == Kind::inherited) {
    // As systemd counts them: app.conf's are 3, 4, ...
    const auto& listeners = generations_.listeners(generation);
    const std::int64_t place = at.fd - kChannelFd;
    if (place < 0 || place >= static_cast<std::int64_t>(listeners.size())) {
      return refused(std::errc::bad_file_descriptor);
    }
    return listeners[static_cast<std::size_t>(place)];
  }
  auto found = configured(generation, at, false);
  // The operator may have chosen one address for a program that takes any.
  if (!found && is_any(at.address) && at.port != 0) found = configured(generation, at, true);
  if (found) return *found;
  return open(generation, at);
}

std::optional<NodeListeners::Index> NodeListeners::configured(Generation generation,
                                                              const node::Endpoint& at,
                                                              bool any_host) const {
  std::int64_t before = at.port == 0 && at.kind != Kind::unix_socket ? at.index : 0;
  for (const Index index : generations_.listeners(generation)) {
    const os::Listener& listener = *generations_.listener(index);
    if (at.kind == Kind::unix_socket) {
      if (!listener.has_ports() && listener.text() == at.text()) return index;
      continue;
    }
    if (!listener.has_ports() || listener.is_datagram() != at.is_udp()) continue;
    if (!same_port(listener, generations_.listen(index), at)) continue;
    if (!any_host && !same_host(listener, at)) continue;
    if (before-- == 0) return index;
  }
  return std::nullopt;
}

Result<NodeListeners::Index> NodeListeners::open(Generation generation, const node::Endpoint& at) {
  const config::Settings& settings = generations_.settings(generation);
  if (dispatcher_.is_stopping()) return refused(std::errc::operation_canceled);
  if (at.index < 0 || at.index >= std::int64_t{core::kMaxListeners}) {
    return refused(std::errc::invalid_argument);
  }
  if (settings.user && needs_privilege(at)) {
    warn_of_privilege(at);
    return refused(std::errc::permission_denied);
  }
  auto index = add(generation, at, to_listen(at, settings.worker));
  if (!index) return index;
  if (auto served = serve(*index); !served) {
    dispatcher_.remove_listener(*index);
    generations_.unwant(*index);
    return served.error();
  }
  return index;
}

Result<NodeListeners::Index> NodeListeners::add(Generation generation, const node::Endpoint& at,
                                                config::Listen listen) {
  if (at.kind == Kind::unix_socket) return generations_.add_wanted(generation, listen);
  Result<Index> index = refused(std::errc::invalid_argument);
  // Any address is both of IPv6 and of IPv4, where the machine has both.
  for (const std::string_view any : {"::", "0.0.0.0"}) {
    const auto address = address_of(at, at.kind == Kind::udp4 ? "0.0.0.0" : any);
    if (!address) return refused(std::errc::invalid_argument);
    listen.address = *address;
    index = generations_.add_wanted(generation, listen);
    if (index || !at.address.empty() || is_v6(at)) break;
    const std::error_code& code = index.error().code;
    if (code != std::errc::address_family_not_supported && code != std::errc::address_not_available)
      break;
  }
  return index;
}

/// Hands out its connections, or has done so since another worker asked.
Result<void> NodeListeners::serve(Index index) {
  os::Listener& listener = *generations_.listener(index);
  if (listener.is_datagram()) return {};
  if (dispatcher_.has_listener(index)) {
    dispatcher_.resume_listener(index);  // a reload was to take it away, but it is wanted again
    return {};
  }
  log::info("serving " + listener.text() + ", which is in no [[listen]]: a worker asks for it");
  return dispatcher_.add_listener(index, listener, generations_.listen(index).policy,
                                  generations_.listen(index).queue_timeout);
}

void NodeListeners::unserved(Generation generation, Index index) {
  if (std::exchange(told_of_, generation) != generation) told_ = 0;
  const std::uint64_t bit = std::uint64_t{1} << index;
  if ((told_ & bit) != 0) return;
  told_ |= bit;
  const config::Listen& listen = generations_.listen(index);
  log::warn("nobody serves listener " + escaped(listen.name) + " (" +
            generations_.listener(index)->text() +
            ") so far: workers are ready, and have not called listen() with that address");
}

bool NodeListeners::needs_privilege(const node::Endpoint& at) const {
  if (at.kind == Kind::unix_socket) return at.address[0] != '\0';
  return at.port != 0 && at.port < first_unprivileged_port_;
}

void NodeListeners::warn_of_privilege(const node::Endpoint& at) {
  constexpr std::size_t kMostTold = 16;
  if (told_privileged_.size() >= kMostTold || !told_privileged_.insert(at.text()).second) return;
  log::warn("a worker asks for " + escaped(at.text()) +
            ", which its user may not open: give it a [[listen]] with address = \"" +
            (at.address.empty() ? "0.0.0.0:" + std::to_string(at.port) : escaped(at.text())) +
            "\"");
}

}  // namespace clusterd::runtime
