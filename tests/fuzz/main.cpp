// The entry point that libFuzzer calls, the same for all fuzzers.
#include "tests/fuzz/fuzz.h"

#include <cstdio>
#include <cstdlib>

namespace clusterd::fuzz {

void must(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

}  // namespace clusterd::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  clusterd::fuzz::try_input({reinterpret_cast<const char*>(data), size});
  return 0;
}
