#pragma once

#include "common/json.h"
#include "common/recipient.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// The envelope of a message that one program of the cluster sends to others: Egg's, one JSON
/// object a line, {"action":...,"data":...,"to":...,"receiverPid":...}. Pure: text in, value out.
namespace clusterd {

struct Envelope {
  std::string action;
  Recipient to;
  std::string data = "null";    ///< JSON, as written
  std::int64_t sender_pid = 0;  ///< as the sender says it; 0 = it does not
  std::int64_t request = 0;     ///< its number, if it wants an answer
  std::int64_t reply = 0;       ///< the number of the request that this answers

  friend bool operator==(const Envelope&, const Envelope&) = default;
};

/// Nothing if it is no object with a text as its "action".
[[nodiscard]] std::optional<Envelope> open_envelope(const CheckedJson& json);

/// What of it decides where it goes.
struct Routing {
  Recipient to;
  std::int64_t request = 0;
  std::int64_t reply = 0;
  std::int64_t sender_pid = 0;  ///< as the sender says it; 0 = it does not

  friend bool operator==(const Routing&, const Routing&) = default;
};

/// The same without a copy of anything.
[[nodiscard]] std::optional<Routing> read_routing(const CheckedJson& json);

/// With the newline. `data` is JSON on one line.
[[nodiscard]] std::string seal_envelope(const Envelope& envelope);

/// Checks `json`, which is to be a message's data, and puts it on one line: outside of strings,
/// where a line break may not be, it is white space. Nothing if it is no JSON.
[[nodiscard]] std::optional<std::string> on_one_line(std::string_view json,
                                                     JsonError* error = nullptr);

}  // namespace clusterd
