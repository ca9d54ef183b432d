/*
 * The clusterd agent library for C, and for whatever can call C: your own program beside the
 * workers, of which there is never more than one ([agent] command in app.conf). It is there before
 * them, and ends after them.
 *
 *     clusterd_agent *agent = clusterd_agent_new();
 *     clusterd_agent_on_message(agent, "get-config", on_get_config, NULL);
 *     clusterd_agent_ready(agent);
 *     return clusterd_agent_run(agent);
 *
 * Threads, and how functions fail, are as in worker.h: all functions of one agent are called from
 * the thread that runs it, and it calls its callbacks there. Any thread may call
 * clusterd_agent_send(), _request(), _reply(), _post(), _stop() and _errors().
 *
 * Stable: what is here stays for as long as the shared library has its name (SONAME), so a program
 * runs with every such library whose clusterd_agent_api() is not less than it was built with.
 */
#ifndef CLUSTERD_AGENT_H
#define CLUSTERD_AGENT_H

#include "clusterd/message.h"
#include "clusterd/run.h"

#ifdef __cplusplus
extern "C" {
#endif
#ifdef __GNUC__
#pragma GCC visibility push(default) /* all that follows is what the library exports */
#endif

/* Grows when something is added; what is there stays. */
#define CLUSTERD_AGENT_API 1

typedef struct clusterd_agent clusterd_agent;
typedef void (*clusterd_agent_call_fn)(void* user);
/* `what`: the text of an error that escaped a callback. */
typedef void (*clusterd_agent_error_fn)(void* user, const char* what);

/* The CLUSTERD_AGENT_API that the library was built with. */
int clusterd_agent_api(void);

/* Why the last call in this thread failed; "" if none did. Valid until the next one that fails. */
const char* clusterd_last_error(void);

/* Says hello if clusterd started this program. NULL on failure. */
clusterd_agent* clusterd_agent_new(void);

/* NULL is allowed. */
void clusterd_agent_free(clusterd_agent* agent);

/* 1 if clusterd started this program (and may be gone since), else 0. */
int clusterd_agent_managed(const clusterd_agent* agent);

/* Start-up is over: the workers may be started. 0, or -1 if the master is gone. */
int clusterd_agent_ready(clusterd_agent* agent);

/* `callback` is called once when the agent is to leave, or when its master is gone. What it has to
 * finish it may finish now or later, and then calls clusterd_agent_stop(), before drain_timeout is
 * over. Without this it stops by itself, when its runs of schedules are over. */
void clusterd_agent_on_stop(clusterd_agent* agent, clusterd_agent_call_fn callback, void* user);

/* 1 from then on. */
int clusterd_agent_stopping(const clusterd_agent* agent);

/* clusterd_agent_run() is to return. If nobody asked the agent to leave, clusterd starts another.
 */
void clusterd_agent_stop(clusterd_agent* agent);

/* Something went wrong in a callback, and the agent lives on: clusterd_agent_failed() said so, or,
 * where callbacks are in C++, an exception escaped one. It has been said on stderr and to the
 * master, whose event agent_error it is. */
void clusterd_agent_on_error(clusterd_agent* agent, clusterd_agent_error_fn callback, void* user);

/* Says so. */
void clusterd_agent_failed(clusterd_agent* agent, const char* what);

/* How often. */
uint64_t clusterd_agent_errors(const clusterd_agent* agent);

/* Messages: as the functions of worker.h with these names. */
int clusterd_agent_send(clusterd_agent* agent, int to, int64_t number, const char* action,
                        const char* json);
int clusterd_agent_request(clusterd_agent* agent, int to, int64_t number, const char* action,
                           const char* json, int timeout_ms, clusterd_answer_fn callback,
                           void* user);
int clusterd_agent_reply(clusterd_agent* agent, int64_t sender_pid, int64_t request,
                         const char* json);
int clusterd_agent_on_message(clusterd_agent* agent, const char* action,
                              clusterd_message_fn callback, void* user);
int clusterd_agent_once(clusterd_agent* agent, const char* action, clusterd_message_fn callback,
                        void* user);
void clusterd_agent_on_send_room(clusterd_agent* agent, clusterd_agent_call_fn callback,
                                 void* user);
void clusterd_agent_on_undelivered(clusterd_agent* agent, clusterd_undelivered_fn callback,
                                   void* user);
void clusterd_agent_on_pressure(clusterd_agent* agent, clusterd_pressure_fn callback, void* user);
void clusterd_agent_on_event(clusterd_agent* agent, clusterd_event_fn callback, void* user);

/* `callback` is called for each run of this [[schedule]], whose target is "agent". Say so before
 * clusterd_agent_ready(): who has not gets a message in its place. 0, or -1. */
int clusterd_agent_on_schedule(clusterd_agent* agent, const char* schedule,
                               clusterd_run_fn callback, void* user);

/* `callback` is called by the thread that runs the agent. 0, or -1. */
int clusterd_agent_post(clusterd_agent* agent, clusterd_agent_call_fn callback, void* user);

/* Handles events until it is time to leave. Gives 0, for main to return; or -1. */
int clusterd_agent_run(clusterd_agent* agent);

/* Readable when clusterd_agent_dispatch() has something to do. */
int clusterd_agent_fd(const clusterd_agent* agent);

/* Handles what there is, or waits up to `timeout_ms` (-1 = for ever) for it. 0, or -1. */
int clusterd_agent_dispatch(clusterd_agent* agent, int timeout_ms);

/* It is time to leave. */
int clusterd_agent_finished(const clusterd_agent* agent);

/* clusterd_agent_run() and _dispatch() also call `callback` while `fd` is readable: a timer, a
 * socket, an epoll set. 0, or -1. */
int clusterd_agent_watch(clusterd_agent* agent, int fd, clusterd_agent_call_fn callback,
                         void* user);

/* Before `fd` is closed. */
void clusterd_agent_unwatch(clusterd_agent* agent, int fd);

#ifdef __GNUC__
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif

#endif
