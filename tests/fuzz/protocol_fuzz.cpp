// Any line: what it is understood as can be said again, and is understood as the same.
#include "common/protocol.h"
#include "tests/fuzz/fuzz.h"

#include <string>
#include <type_traits>

namespace clusterd::fuzz {
namespace {

std::string encode(const Envelope& envelope) { return seal_envelope(envelope); }
template <typename Message>
std::string encode(const Message& message) {
  return protocol::encode(message);
}

/// What is said to somebody that this version does not know is not said again.
template <typename Message>
bool is_lost(const Message&) {
  return false;
}
bool is_lost(const Envelope& envelope) { return envelope.to.kind == Recipient::Kind::elsewhere; }

template <typename Message>
void say_again(const Message& message, Result<Message> (*decode)(std::string_view)) {
  const auto say = [&](const auto& said) {
    if constexpr (!std::is_same_v<decltype(said), const protocol::Unknown&>) {
      if (is_lost(said)) return;
      const std::string line = encode(said);
      must(line.find('\n') == line.size() - 1, "a message is one line");
      const auto again = decode({line.data(), line.size() - 1});
      must(again.has_value() && *again == message, "a message said again is the same");
    }
  };
  std::visit(say, message);
}

template <typename Message>
void understand(std::string_view line, Result<Message> (*decode)(std::string_view)) {
  const auto message = decode(line);
  if (message.has_value()) {
    say_again(*message, decode);
  } else {
    must(!message.error().message().empty(), "an error says what is wrong");
  }
}

}  // namespace

void try_input(std::string_view input) {
  input = input.substr(0, input.find('\n'));  // a line is what is between two of them
  understand(input, &protocol::decode_from_child);
  understand(input, &protocol::decode_from_master);
}

}  // namespace clusterd::fuzz
