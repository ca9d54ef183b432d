# A master is to be small in memory as well: what is never called is left out, and what runs once,
# at the start or for a verb, is built for size. Only what is mapped is ever resident.
target_compile_options(clusterd_base INTERFACE
  $<$<CONFIG:Release>:-ffunction-sections> $<$<CONFIG:Release>:-fdata-sections>)
target_link_options(clusterd_base INTERFACE $<$<CONFIG:Release>:-Wl,--gc-sections>)

function(clusterd_runs_once)
  foreach(target ${ARGN})
    target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-Os>)
  endforeach()
endfunction()
