// Declared by the header of each library, and in each of them once.
#include "worker/src/c_messages.h"

#include <clusterd/worker.h>

namespace clusterd {

inline namespace [[gnu::visibility("default")]] v0_1_0 {

std::string& last_error_text() {
  thread_local std::string text;
  return text;
}

}  // namespace v0_1_0

std::string& c::last_error() { return last_error_text(); }

}  // namespace clusterd

extern "C" const char* clusterd_last_error(void) { return clusterd::c::last_error().c_str(); }
