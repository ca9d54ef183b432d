#pragma once

#include "bench/src/limit_options.h"

/* Serves for ever: connections that it accepts on `listener` or, if that is -1, those that come on
 * `channel`. Returns, with the exit code, when it cannot go on. */
int limit_worker_run(const struct limit_options* options, int listener, int channel);
