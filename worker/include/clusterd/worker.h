/*
 * The clusterd worker library for C, and for whatever can call C.
 *
 * A program that takes its connections from clusterd or, started by hand, binds and accepts for
 * itself, with the same code:
 *
 *     clusterd_worker *worker = clusterd_worker_new();
 *     clusterd_worker_listen(worker, "", "127.0.0.1:8080", on_connection, NULL);
 *     clusterd_worker_ready(worker);
 *     return clusterd_worker_run(worker);
 *
 * With a loop of one's own, either this one goes around it (clusterd_worker_watch() its epoll set),
 * or it goes around this one: poll clusterd_worker_fd() for reading, call
 * clusterd_worker_dispatch(), leave when clusterd_worker_finished(). In accept race the first is
 * better: the kernel wakes one process a connection only if each waits in the very epoll set that
 * the listener is in.
 *
 * Threads: all functions of one worker are called from the thread that runs it, and it calls its
 * callbacks there. Any thread may call clusterd_worker_send(), _request(), _reply(), _post(),
 * _suicide(), _count_request(), _active(), _draining(), and what begins with clusterd_connection_.
 * A function that can fail says so by its value, and clusterd_last_error() then says why. No
 * function throws or calls exit(3).
 *
 * Stable: what is here stays for as long as the shared library has its name (SONAME), so a program
 * runs with every such library whose clusterd_worker_api() is not less than it was built with.
 */
#ifndef CLUSTERD_WORKER_H
#define CLUSTERD_WORKER_H

#include "clusterd/message.h"
#include "clusterd/run.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#ifdef __GNUC__
#pragma GCC visibility push(default) /* all that follows is what the library exports */
#endif

/* Grows when something is added; what is there stays. */
#define CLUSTERD_WORKER_API 3

typedef struct clusterd_worker clusterd_worker;
typedef struct clusterd_connection clusterd_connection;

/* Takes over `connection`, which stays open until clusterd_connection_close(). */
typedef void (*clusterd_connection_fn)(void* user, clusterd_connection* connection);
typedef void (*clusterd_drain_fn)(void* user);
typedef void (*clusterd_call_fn)(void* user);

/* The CLUSTERD_WORKER_API that the library was built with. */
int clusterd_worker_api(void);

/* Why the last call in this thread failed; "" if none did. Valid until the next one that fails. */
const char* clusterd_last_error(void);

/* Says hello if clusterd started this program. NULL on failure. */
clusterd_worker* clusterd_worker_new(void);

/* Closes what the worker has open; connections that are not closed stay with their owners. NULL is
 * allowed. */
void clusterd_worker_free(clusterd_worker* worker);

/* 1 if clusterd started this program (and may be gone since), else 0. */
int clusterd_worker_managed(const clusterd_worker* worker);

/* Every connection of a listener goes to `handler`, one at a time: under clusterd of the listener
 * called `name` in app.conf ("" = the only one there is), without clusterd of a socket bound to
 * `address` ("127.0.0.1:8080", "[::1]:0"). Either may be NULL if it is never needed. Gives the
 * listener's number, or -1. */
int clusterd_worker_listen(clusterd_worker* worker, const char* name, const char* address,
                           clusterd_connection_fn handler, void* user);

/* A UDP listener: a bound, non-blocking socket that belongs to the worker and is shared by all
 * workers, or -1. When the worker drains, stop reading. */
int clusterd_worker_datagram(clusterd_worker* worker, const char* name, const char* address);

/* The address that is really served, in at most `size` bytes with the NUL. Gives the length that it
 * needs without the NUL, or -1 if there is no such listener. */
int clusterd_worker_address(const clusterd_worker* worker, int listener, char* text, int size);

/* Start-up is over: connections may come. 0, or -1 if the master is gone. */
int clusterd_worker_ready(clusterd_worker* worker);

/* `callback` is called once when no new connection will come: finish what is open, close what is
 * idle. */
void clusterd_worker_on_drain(clusterd_worker* worker, clusterd_drain_fn callback, void* user);

/* 1 from then on, or from clusterd_worker_suicide(), which is earlier. */
int clusterd_worker_draining(const clusterd_worker* worker);

/* "Something is wrong with me: replace me now." Any thread may say it; the first time counts. The
 * master starts a replacement at once; this worker takes no new connection from this moment, calls
 * the drain callback, finishes what is open, and clusterd_worker_run() gives 1 when the last
 * connection has ended, or shortly before the master's drain_timeout is over and TERM would come
 * (after 5 s without a master). `reason`: of the text, which may be NULL, the first 1,024 bytes
 * count. (API 2) */
void clusterd_worker_suicide(clusterd_worker* worker, const char* reason);

/* Sends a message to an enum clusterd_to: at most once, in order from one sender to one receiver.
 * `number` is for those that take one. `json` is the data, NULL for none. 1 if it is on its way; 0
 * if 256 KiB wait to be sent and it was not queued (clusterd_worker_on_send_room() says when to go
 * on); -1 if it is no JSON, or has more than about 64 KiB. Without clusterd this process is the
 * only receiver. */
int clusterd_worker_send(clusterd_worker* worker, int to, int64_t number, const char* action,
                         const char* json);

/* A message that is to be answered: `callback` is called once, by the thread that runs the worker,
 * with the answer or with why there is none. For one receiver: not CLUSTERD_TO_ALL or _TO_APP.
 * Gives what clusterd_worker_send() gives; the callback is called only after a 1. (API 3) */
int clusterd_worker_request(clusterd_worker* worker, int to, int64_t number, const char* action,
                            const char* json, int timeout_ms, clusterd_answer_fn callback,
                            void* user);

/* Answers the request of that number, which clusterd_message has, now or later. Gives what
 * clusterd_worker_send() gives. (API 3) */
int clusterd_worker_reply(clusterd_worker* worker, int64_t sender_pid, int64_t request,
                          const char* json);

/* `callback` is called for each run of this schedule that is this process's to do. Say so before
 * clusterd_worker_ready(): who has not gets a message in its place. 0, or -1. (API 3) */
int clusterd_worker_on_schedule(clusterd_worker* worker, const char* schedule,
                                clusterd_run_fn callback, void* user);

/* For every message with this action; "" for those that have no callback of their own. A NULL
 * callback takes the one before off. 0, or -1. */
int clusterd_worker_on_message(clusterd_worker* worker, const char* action,
                               clusterd_message_fn callback, void* user);

/* The same for the next one only. (API 3) */
int clusterd_worker_once(clusterd_worker* worker, const char* action, clusterd_message_fn callback,
                         void* user);

/* Half of what may wait is free again after clusterd_worker_send() has given 0. */
void clusterd_worker_on_send_room(clusterd_worker* worker, clusterd_call_fn callback, void* user);

/* Messages of ours had no receiver, one that does not read what it is sent, or one that has ended
 * before it heard them. */
void clusterd_worker_on_undelivered(clusterd_worker* worker, clusterd_undelivered_fn callback,
                                    void* user);

/* A receiver of ours is slow, or no longer. (API 3) */
void clusterd_worker_on_pressure(clusterd_worker* worker, clusterd_pressure_fn callback,
                                 void* user);

/* What happens in the cluster: see clusterd_event_fn. */
void clusterd_worker_on_event(clusterd_worker* worker, clusterd_event_fn callback, void* user);

/* `callback` is called by the thread that runs the worker. Any thread may say so. 0, or -1. */
int clusterd_worker_post(clusterd_worker* worker, clusterd_call_fn callback, void* user);

/* Handles events until it is time to leave. For main to return: 1 after a suicide, else 0. */
int clusterd_worker_run(clusterd_worker* worker);

/* Readable when clusterd_worker_dispatch() has something to do. */
int clusterd_worker_fd(const clusterd_worker* worker);

/* Handles what there is, or waits up to `timeout_ms` (-1 = for ever) for it. 0, or -1. */
int clusterd_worker_dispatch(clusterd_worker* worker, int timeout_ms);

/* clusterd_worker_run() and _dispatch() also call `callback` while `fd`, which can be an epoll set,
 * is readable. 0, or -1. */
int clusterd_worker_watch(clusterd_worker* worker, int fd, clusterd_call_fn callback, void* user);

/* Before `fd` is closed. */
void clusterd_worker_unwatch(clusterd_worker* worker, int fd);

/* 1 when it is time to leave: drained, with no connection open; or the master is gone or this was a
 * suicide, and the time to finish is over. */
int clusterd_worker_finished(const clusterd_worker* worker);

/* What clusterd_worker_run() gives, for a loop of one's own. (API 2) */
int clusterd_worker_exit_code(const clusterd_worker* worker);

/* For `clusterd status`: one more request was answered. */
void clusterd_worker_count_request(clusterd_worker* worker);

/* Connections open now. */
uint32_t clusterd_worker_active(const clusterd_worker* worker);

/* A connected, non-blocking socket; it belongs to the connection. */
int clusterd_connection_fd(const clusterd_connection* connection);

/* The client's address ("192.0.2.7:50123"), as clusterd_worker_address() gives one. */
int clusterd_connection_peer(const clusterd_connection* connection, char* text, int size);

/* Shuts the connection down, closes it, and frees `connection`. NULL is allowed. Take it out of an
 * epoll set first: that does not happen by itself while the master has its copy, a moment more. */
void clusterd_connection_close(clusterd_connection* connection);

/* Gives the socket to the caller, frees `connection`, and does not count it as open any more: a
 * draining worker does not wait for it. Gives the descriptor. */
int clusterd_connection_release(clusterd_connection* connection);

#ifdef __GNUC__
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif

#endif
