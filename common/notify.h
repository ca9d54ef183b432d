#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// What a service says to the one that started it, over NOTIFY_SOCKET: sd_notify(3)'s datagrams of
/// lines KEY=VALUE. Pure: text in, value out.
namespace clusterd::notify {

/// A longer datagram says nothing.
inline constexpr std::size_t kLongest = 4096;
/// In characters; the rest of a longer status is cut off.
inline constexpr std::size_t kLongestStatus = 128;

struct Said {
  bool ready = false;                   ///< READY=1
  bool stopping = false;                ///< STOPPING=1
  bool watchdog = false;                ///< WATCHDOG=1: it is alive
  bool watchdog_trigger = false;        ///< WATCHDOG=trigger: it asks to be taken for hung
  bool barrier = false;                 ///< BARRIER=1: it waits until its descriptor is closed
  std::optional<std::string> status{};  ///< STATUS=, valid UTF-8 of characters that can be printed
  std::optional<std::uint64_t> extend_timeout_usec{};  ///< EXTEND_TIMEOUT_USEC=

  friend bool operator==(const Said&, const Said&) = default;
};

/// Of a key that comes twice the last counts; lines that are not understood say nothing.
[[nodiscard]] Said parse(std::string_view datagram);

}  // namespace clusterd::notify
