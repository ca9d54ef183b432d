// Any line: what it is understood as can be said again, and is understood as the same.
#include "common/protocol.h"
#include "tests/fuzz/fuzz.h"

#include <string>
#include <type_traits>

namespace clusterd::fuzz {
namespace {

template <typename Message>
void say_again(const Message& message, Result<Message> (*decode)(std::string_view)) {
  const auto say = [&](const auto& said) {
    if constexpr (!std::is_same_v<decltype(said), const protocol::Unknown&>) {
      const std::string line = protocol::encode(said);
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
  understand(input, &protocol::decode_from_child);
  understand(input, &protocol::decode_from_master);
}

}  // namespace clusterd::fuzz
