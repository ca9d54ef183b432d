#pragma once

#include "common/address.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/unique_fd.h"
#include "master/os/unix_listener.h"

#include <optional>
#include <string>

namespace clusterd::os {

struct ListenerSpec {
  enum class Kind : std::uint8_t { tcp, unix_socket, udp };

  Kind kind = Kind::tcp;
  Address address{};  ///< tcp, udp
  int backlog = 4096;
  bool v6only = true;          ///< "[::]" is IPv6 alone, whatever the machine's default is
  bool nodelay = true;         ///< tcp: accepted connections have TCP_NODELAY
  Duration defer_accept{};     ///< tcp: a connection without data is not given for so long; 0 = off
  UnixListenerSpec at_path{};  ///< unix_socket
};

/// A socket on which clients come: listening (TCP, Unix) or bound (UDP). Non-blocking: the flag is
/// shared with every worker that it is passed to.
class Listener {
 public:
  [[nodiscard]] static Result<Listener> open(const ListenerSpec& spec);
  /// TCP with the defaults.
  [[nodiscard]] static Result<Listener> open(const Address& address, int backlog);

  /// A Unix socket without a file, which Linux knows by its name alone; it goes with its last user.
  [[nodiscard]] static Result<Listener> open_abstract(const std::string& name, int backlog);

  /// One that somebody else has opened, and keeps open for who comes after us: it is never closed
  /// to clients, and nothing is set that belongs to it. `name` is for errors.
  [[nodiscard]] static Result<Listener> adopt(UniqueFd socket, const std::string& name);

  /// Another one on the same socket, for an address that is open already, with other options.
  [[nodiscard]] Result<Listener> share(const ListenerSpec& spec) const;

  [[nodiscard]] int fd() const { return at_path_ ? at_path_->fd() : fd_.get(); }
  /// TCP and UDP: the real one; port 0 is the kernel's choice by now.
  [[nodiscard]] const Address& address() const { return address_; }
  [[nodiscard]] bool is_datagram() const { return kind_ == ListenerSpec::Kind::udp; }
  [[nodiscard]] bool has_ports() const { return kind_ != ListenerSpec::Kind::unix_socket; }
  [[nodiscard]] bool is_passed() const { return passed_; }
  /// "127.0.0.1:8080", "unix:/run/shop.sock", "udp://127.0.0.1:5353"
  [[nodiscard]] std::string text() const;
  /// Connections in the kernel's queue; 0 where it does not tell (Unix, UDP).
  [[nodiscard]] std::uint32_t waiting() const;
  /// Nobody gets into the queue any more, and nobody falls out of it: for the last look before
  /// close(), which would reset who is in it. TCP: who begins to connect from now on hears nothing,
  /// and tries again; a path is moved away.
  void refuse_new();
  /// As if refuse_new() had not been.
  void accept_new();
  /// A path is unlinked, unless the socket is shared.
  void close();
  [[nodiscard]] bool is_open() const { return fd() >= 0; }

 private:
  ListenerSpec::Kind kind_ = ListenerSpec::Kind::tcp;
  UniqueFd fd_;
  std::optional<UnixListener> at_path_;
  Address address_;
  bool passed_ = false;
  std::string path_;  ///< passed, unix_socket
};

/// Whether the kernel lets this process do what Listener::refuse_new() does for TCP: recent ones
/// want CAP_NET_ADMIN. Tries it on a socket of its own.
[[nodiscard]] bool may_refuse_new();

}  // namespace clusterd::os
