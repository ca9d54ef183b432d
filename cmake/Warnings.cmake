# clusterd_warnings: what every target of ours is compiled with.
option(CLUSTERD_WERROR "Treat warnings as errors" OFF)

add_library(clusterd_warnings INTERFACE)
target_compile_options(clusterd_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wold-style-cast
  -Woverloaded-virtual -Wnon-virtual-dtor -Wswitch-enum
  $<$<BOOL:${CLUSTERD_WERROR}>:-Werror>)
