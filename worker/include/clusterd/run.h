/*
 * Runs of the [[schedule]] tables of app.conf, for C. A part of clusterd/worker.h and
 * clusterd/agent.h, which include it.
 */
#ifndef CLUSTERD_RUN_H
#define CLUSTERD_RUN_H

#ifdef __cplusplus
extern "C" {
#endif
#ifdef __GNUC__
#pragma GCC visibility push(default)
#endif

/* One run, given to this process. It is the callback's until clusterd_run_end(), which may be
 * called later and by any thread. Who is asked to leave waits for it, as a worker does for its
 * connections. */
typedef struct clusterd_run clusterd_run;
typedef void (*clusterd_run_fn)(void* user, clusterd_run* run);

/* Each valid until the end of the run. The data is JSON as in app.conf, "null" if there is none. */
const char* clusterd_run_id(const clusterd_run* run);
const char* clusterd_run_schedule(const clusterd_run* run);
const char* clusterd_run_data(const clusterd_run* run);

/* It is over, and `run` is freed. `error`: why it failed, of which the first 1,024 bytes count;
 * NULL if it went well. Any thread may say so, also when the worker is freed. */
void clusterd_run_end(clusterd_run* run, const char* error);

#ifdef __GNUC__
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif

#endif
