#pragma once

#include "common/json.h"
#include "common/log_rules.h"

#include <cstdint>
#include <optional>
#include <string>

/// What master and agent say to each other about the log's file: lines of common/protocol.h.
namespace clusterd::protocol {

/// To the agent: write what comes through this pipe to that file from now on. Without a descriptor:
/// go on with these rules, and open the file anew.
struct WriteLog {
  std::int64_t fds = 0;
  std::string path;
  LogRules rules;
  bool must = false;  ///< if it cannot, the agent is of no use: the cluster is only starting
  friend bool operator==(const WriteLog&, const WriteLog&) = default;
};

/// From the agent: the log is written, or why it is not for now.
struct LogWritten {
  std::string error;         ///< empty: it is
  bool period_over = false;  ///< and a day or an hour is over: there is a new file
  friend bool operator==(const LogWritten&, const LogWritten&) = default;
};

/// The members of such a line; nothing if one is missing or wrong.
[[nodiscard]] std::optional<WriteLog> read_write_log(const CheckedJson& json);
[[nodiscard]] LogWritten read_log_written(const CheckedJson& json);
void write_members(JsonWriter& json, const WriteLog& order);
void write_members(JsonWriter& json, const LogWritten& said);

}  // namespace clusterd::protocol
