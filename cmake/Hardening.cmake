# clusterd_hardening: sanitizers in the test build, fortified and relro in the release build.
option(CLUSTERD_SANITIZE "Build with AddressSanitizer and UndefinedBehaviorSanitizer" OFF)

add_library(clusterd_hardening INTERFACE)
if(CLUSTERD_SANITIZE)
  target_compile_options(clusterd_hardening INTERFACE
    -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
    # Its check makes a pipe, and takes a process that has no descriptor left for a broken one.
    -fno-sanitize=vptr)
  target_link_options(clusterd_hardening INTERFACE -fsanitize=address,undefined)
  target_compile_definitions(clusterd_hardening INTERFACE _GLIBCXX_ASSERTIONS)
else()
  target_compile_options(clusterd_hardening INTERFACE
    $<$<CONFIG:Release>:-U_FORTIFY_SOURCE> $<$<CONFIG:Release>:-D_FORTIFY_SOURCE=2>
    -fstack-protector-strong)
  target_link_options(clusterd_hardening INTERFACE -Wl,-z,relro -Wl,-z,now)
endif()
