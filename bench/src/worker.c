/*
 * bench-worker: what a worker of bench-limit does, on clusterd's C interface.
 *
 *     bench-worker [127.0.0.1:0]      under clusterd, or this one alone
 */
#include "bench/src/answer.h"

#include <clusterd/worker.h>
#include <stdio.h>
#include <sys/epoll.h>

enum { EVENTS = 64, MOST_DESCRIPTORS = 65536 };

static clusterd_worker* worker;
static int epoll;
static clusterd_connection* waiting[MOST_DESCRIPTORS]; /* by descriptor: those in the epoll set */
static bool answered[MOST_DESCRIPTORS];                /* at least one request */
static int above;                                      /* no descriptor from here on is waiting */

static int fail(void) {
  fprintf(stderr, "bench-worker: %s\n", clusterd_last_error());
  return 1;
}

static enum answer serve(clusterd_connection* connection) {
  bool last = clusterd_worker_draining(worker) != 0;
  return answer(clusterd_connection_fd(connection), last);
}

static void on_connection(void* user, clusterd_connection* connection) {
  (void)user;
  int fd = clusterd_connection_fd(connection);
  enum answer first = serve(connection);
  if (first != ANSWER_END && fd < MOST_DESCRIPTORS) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    waiting[fd] = connection;
    answered[fd] = first == ANSWER_KEPT;
    if (fd >= above) above = fd + 1;
    return;
  }
  clusterd_connection_close(connection);
}

static void end(int fd) {
  epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL);
  clusterd_connection_close(waiting[fd]);
  waiting[fd] = NULL;
}

static void on_readable(int fd) {
  /* NULL: it ended with a drain that came before it in this turn. */
  if (waiting[fd] == NULL) return;
  enum answer next = serve(waiting[fd]);
  if (next == ANSWER_END) end(fd);
  if (next == ANSWER_KEPT) answered[fd] = true;
}

static void on_drain(void* user) {
  (void)user;
  for (int fd = 0; fd < above; ++fd) {
    if (waiting[fd] != NULL && answered[fd]) end(fd);
  }
}

static void on_events(void* user) {
  (void)user;
  struct epoll_event events[EVENTS];
  int count = epoll_wait(epoll, events, EVENTS, 0);
  for (int at = 0; at < count; ++at) on_readable(events[at].data.fd);
}

int main(int argc, char** argv) {
  char address[128];
  answer_prepare();
  epoll = epoll_create1(EPOLL_CLOEXEC);
  worker = clusterd_worker_new();
  if (worker == NULL) return fail();
  int listener =
      clusterd_worker_listen(worker, "", argc > 1 ? argv[1] : "127.0.0.1:0", on_connection, NULL);
  if (listener < 0) return fail();
  clusterd_worker_on_drain(worker, on_drain, NULL);
  if (!clusterd_worker_managed(worker)) {
    clusterd_worker_address(worker, listener, address, sizeof address);
    printf("listening on %s\n", address);
    fflush(stdout);
  }
  if (clusterd_worker_watch(worker, epoll, on_events, NULL) < 0) return fail();
  if (clusterd_worker_ready(worker) < 0) return fail();
  int code = clusterd_worker_run(worker);
  clusterd_worker_free(worker);
  return code;
}
