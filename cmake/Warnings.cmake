# clusterd_warnings: what every target of ours is compiled with.
option(CLUSTERD_WERROR "Treat warnings as errors" OFF)

add_library(clusterd_warnings INTERFACE)
target_compile_options(clusterd_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wold-style-cast
  -Woverloaded-virtual -Wnon-virtual-dtor -Wswitch-enum
  # g++ 12 sees overlapping copies in "literal" + std::string at -O3 (GCC bug 105651).
  -Wno-restrict
  # It sees members of a variant that are not there, at -O2 and with sanitizers. AddressSanitizer
  # and clang-tidy look for those that are.
  -Wno-maybe-uninitialized
  $<$<BOOL:${CLUSTERD_WERROR}>:-Werror>)
