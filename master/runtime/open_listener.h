#pragma once

#include "common/error.h"
#include "config/settings.h"
#include "master/os/listener.h"
#include "master/os/passed_sockets.h"

namespace clusterd::runtime {

/// Opens what a [[listen]] says, or finds it among what was passed. Users and groups are looked up,
/// which can block: at start, and when an operator reloads.
[[nodiscard]] Result<os::Listener> open_listener(const config::Listen& listen,
                                                 const os::PassedSockets& passed = {});
/// The same of an address that a running worker asks for: nothing in it waits.
[[nodiscard]] Result<os::Listener> open_at_once(const config::Listen& listen);

/// The same address, in both.
[[nodiscard]] bool same_address(const config::Listen& a, const config::Listen& b);
/// The same, or one port of any address of IPv4, IPv6 or both: only one of these can be bound.
[[nodiscard]] bool is_same_place(const config::Listen& a, const config::Listen& b);

/// Its port is the kernel's choice.
[[nodiscard]] bool has_any_port(const config::Listen& listen);

/// On the socket of `open`, which has the same address.
[[nodiscard]] Result<os::Listener> share_listener(const os::Listener& open,
                                                  const config::Listen& listen);

}  // namespace clusterd::runtime
