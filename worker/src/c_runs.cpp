#include "worker/src/c_runs.h"

#include "worker/src/c_messages.h"

#include <utility>

namespace clusterd::c {

std::function<void(Run)> run_handler(clusterd_run_fn callback, void* user) {
  if (callback == nullptr) return nullptr;
  return [=](Run run) { callback(user, new clusterd_run{std::move(run)}); };
}

}  // namespace clusterd::c

extern "C" {

const char* clusterd_run_id(const clusterd_run* run) { return run->run.id().data(); }
const char* clusterd_run_schedule(const clusterd_run* run) { return run->run.schedule().data(); }
const char* clusterd_run_data(const clusterd_run* run) { return run->run.data().data(); }

void clusterd_run_end(clusterd_run* run, const char* error) {
  (void)clusterd::c::guarded(0, [&] {
    if (error != nullptr) run->run.fail(error);
    delete run;
    return 0;
  });
}

}  // extern "C"
