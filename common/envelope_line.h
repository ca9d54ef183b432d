#pragma once

#include "common/recipient.h"

#include <cstdint>
#include <string>
#include <string_view>

/// An envelope as it is sent, for who sends many: nothing is copied but into the line.
namespace clusterd {

struct EnvelopeView {
  std::string_view action;
  Recipient to;
  std::string_view data;  ///< JSON on one line
  std::int64_t sender_pid = 0;
  std::int64_t request = 0;
  std::int64_t reply = 0;
};

/// With the newline.
void append_line(std::string& lines, const EnvelopeView& envelope);

}  // namespace clusterd
