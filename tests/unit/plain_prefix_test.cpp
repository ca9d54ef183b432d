#include "common/plain_prefix.h"

#include <doctest/doctest.h>

#include <cstddef>
#include <string>

using clusterd::plain_prefix;

TEST_CASE("what stands for itself in a string is counted up to the first byte that does not") {
  for (std::size_t size = 0; size <= 600; ++size) {
    const std::string plain(size, '~');
    REQUIRE(plain_prefix(plain) == size);
    for (const char other : {'\x1f', '\0', '"', '\\', '\x80', '\xff'}) {
      std::string text = plain + other + " !#[]^~\x7f";
      REQUIRE(plain_prefix(text) == size);
    }
  }
  for (int byte = 0; byte < 256; ++byte) {
    const bool stands = byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
    for (const std::size_t size : {1U, 8U, 32U, 256U}) {
      const std::string text(size, static_cast<char>(byte));
      REQUIRE(plain_prefix(text) == (stands ? size : 0));
    }
  }
}
