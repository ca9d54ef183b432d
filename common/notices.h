#pragma once

#include "common/json.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// What master and child tell each other of messages (a part of common/protocol.h).
namespace clusterd::protocol {

// From a child.

/// So many messages more have been given to the program.
struct Heard {
  std::int64_t count = 0;
  friend bool operator==(const Heard&, const Heard&) = default;
};
/// From a program of another protocol: "tell me what is below too".
struct Notices {
  /// It says how many messages it has heard from now on, the first that it is sent among them.
  bool tells_heard = false;
  friend bool operator==(const Notices&, const Notices&) = default;
};

// From the master, to who has sent them.

/// Messages of this child with this action could not be queued for as many receivers: there was
/// none, or as much as may wait for it waits already. Told together if the child is slow to read:
/// `action` is empty where they differ.
struct Undelivered {
  std::string action;
  std::int64_t count = 0;
  std::vector<std::int64_t> requests = {};  ///< those of them that wanted an answer
  friend bool operator==(const Undelivered&, const Undelivered&) = default;
};
/// Requests of this child will not be answered: who had been sent them has ended.
struct Gone {
  std::vector<std::int64_t> requests;
  friend bool operator==(const Gone&, const Gone&) = default;
};
/// A quarter of what may wait for this receiver of the child's messages does; or, after that, no
/// more than an eighth.
struct Pressure {
  std::int64_t pid = 0;
  bool high = false;
  friend bool operator==(const Pressure&, const Pressure&) = default;
};
using Notice = std::variant<Undelivered, Gone, Pressure>;

/// With the newline.
[[nodiscard]] std::string encode(const Heard& message);
[[nodiscard]] std::string encode(const Notices& message);
[[nodiscard]] std::string encode(const Undelivered& message);
[[nodiscard]] std::string encode(const Gone& message);
[[nodiscard]] std::string encode(const Pressure& message);

/// An act is one of these.
[[nodiscard]] bool is_notice(std::string_view act);
/// Nothing if it lacks a member, whose name is then in `lacking`.
[[nodiscard]] std::optional<Notice> read_notice(std::string_view act, const CheckedJson& json,
                                                std::string_view& lacking);

}  // namespace clusterd::protocol
