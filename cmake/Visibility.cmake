# For what ends up in the worker library: nothing is visible but what its headers say. A program, or
# a library made with it, then exports and replaces nothing of ours by accident.
function(clusterd_hide_symbols target)
  set_target_properties(${target} PROPERTIES
    CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
endfunction()
