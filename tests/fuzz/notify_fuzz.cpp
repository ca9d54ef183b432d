// Any datagram: what is kept of it is bounded and can be printed, and says the same when it is said
// again.
#include "common/json.h"
#include "common/notify.h"
#include "tests/fuzz/fuzz.h"

#include <string>

namespace clusterd::fuzz {
namespace {

void must_be_printable(const std::string& status) {
  std::size_t characters = 0;
  for (std::string_view rest = status; !rest.empty(); ++characters) {
    const Utf8Sequence next = scan_utf8(rest);
    must(next.whole, "a status is UTF-8");
    const auto first = static_cast<unsigned char>(rest.front());
    must(first >= 0x20 && first != 0x7f, "a status has no control characters");
    rest.remove_prefix(next.length);
  }
  must(characters <= notify::kLongestStatus, "a status is bounded");
}

std::string say(const notify::Said& said) {
  std::string text;
  if (said.ready) text += "READY=1\n";
  if (said.stopping) text += "STOPPING=1\n";
  if (said.watchdog) text += "WATCHDOG=1\n";
  if (said.watchdog_trigger) text += "WATCHDOG=trigger\n";
  if (said.barrier) text += "BARRIER=1\n";
  if (said.status) text += "STATUS=" + *said.status + "\n";
  if (said.extend_timeout_usec) {
    text += "EXTEND_TIMEOUT_USEC=" + std::to_string(*said.extend_timeout_usec) + "\n";
  }
  return text;
}

}  // namespace

void try_input(std::string_view input) {
  const notify::Said said = notify::parse(input);
  if (input.size() > notify::kLongest) must(said == notify::Said{}, "too long says nothing");
  if (said.status) must_be_printable(*said.status);
  must(notify::parse(say(said)) == said, "what was understood is said again");
}

}  // namespace clusterd::fuzz
