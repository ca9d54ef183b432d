#include "config/parse_messages.h"

#include "config/choices.h"
#include "config/quantity.h"

namespace clusterd::config {
namespace {

/// A line of a message has at most 64 KiB.
constexpr std::uint64_t kLeastQueue = 128 * 1024;
constexpr std::uint64_t kMostQueue = 1024 * 1024 * 1024;

}  // namespace

Messages read_messages(TomlReader& top, Mistakes& mistakes) {
  Messages messages;
  const toml::table* table = top.table("messages");
  if (table == nullptr) return messages;
  TomlReader reader(*table, "messages", mistakes);
  reader.check_keys();
  std::uint64_t queue = messages.queue;
  reader.bytes("queue", 0, queue);
  if (queue < kLeastQueue || queue > kMostQueue) {
    reader.blame("queue", "must be at least " + bytes_text(kLeastQueue) + " and at most " +
                              bytes_text(kMostQueue) + ", got " + bytes_text(queue));
  } else {
    messages.queue = static_cast<std::size_t>(queue);
  }
  reader.choice<Messages::Policy>("policy", "policy", kMessagePolicies, messages.policy);
  return messages;
}

}  // namespace clusterd::config
