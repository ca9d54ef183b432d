/*
 * bench-limit: the least that a prefork server can be, in plain C: the limit that every supervisor
 * is compared with. It promises nothing but speed.
 *
 *     bench-limit --workers W [--port 0] [--policy accept|rr] [--exclusive] [--batch] [--keepalive]
 *
 *   accept   the workers wait on one shared listening socket, level-triggered, and accept
 *   rr       the parent, under SCHED_BATCH, accepts and passes connections in strict rotation, up
 *            to 16 in a message
 *
 * A worker that dies is replaced at once. TERM or INT ends all.
 */
#include "bench/src/limit_channel.h"
#include "bench/src/limit_options.h"
#include "bench/src/limit_worker.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EVENTS = 64, BACKLOG = 4096, ACCEPTS_A_TURN = 64, EXIT_USAGE = 64, EXIT_SYSTEM = 71 };

static struct limit_options options;
static struct worker {
  int pidfd, channel;
  struct limit_batch batch;
} workers[LIMIT_MOST_WORKERS];
static sigset_t signals, no_signals;
static int listener, epoll;
static size_t turn;

static void fail(const char* what) {
  perror(what);
  exit(EXIT_SYSTEM);
}

static void use_policy(int policy) {
  const struct sched_param none = {.sched_priority = 0};
  sched_setscheduler(0, policy, &none);
}

static void open_listener(void) {
  const int on = 1;
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons(options.port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener, (struct sockaddr*)&address, length) < 0 || listen(listener, BACKLOG) < 0 ||
      getsockname(listener, (struct sockaddr*)&address, &length) < 0) {
    fail("bench-limit: listen");
  }
  options.port = ntohs(address.sin_port);
}

/* `data` finds the worker whose pidfd this is; the listener and the signals come after them. */
static void watch(int fd, size_t data) {
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = data};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0) fail("bench-limit: epoll_ctl");
}

static _Noreturn void be_worker(pid_t parent, int channel) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(0); /* it was too late for that */
  use_policy(options.batch ? SCHED_BATCH : SCHED_OTHER);
  sigprocmask(SIG_SETMASK, &no_signals, NULL);
  close(epoll);
  for (size_t at = 0; at < options.workers; ++at) { /* none may keep another's channel open */
    if (workers[at].pidfd > 0) close(workers[at].pidfd);
    if (workers[at].channel > 0) close(workers[at].channel);
  }
  if (options.round_robin) close(listener);
  _exit(limit_worker_run(&options, options.round_robin ? -1 : listener, channel));
}

static void start_worker(size_t at) {
  struct worker* worker = &workers[at];
  int pair[2] = {-1, -1};
  if (options.round_robin && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
    fail("bench-limit: socketpair");
  }
  pid_t parent = getpid();
  pid_t pid = fork();
  if (pid < 0) fail("bench-limit: fork");
  if (pid == 0) {
    close(pair[0]);
    be_worker(parent, pair[1]);
  }
  if (pair[1] >= 0) close(pair[1]);
  worker->channel = pair[0];
  worker->pidfd = pidfd_open(pid, 0);
  if (worker->pidfd < 0) fail("bench-limit: pidfd_open");
  watch(worker->pidfd, at);
}

static void on_death(size_t at) {
  struct worker* worker = &workers[at];
  siginfo_t info;
  if (waitid(P_PIDFD, (id_t)worker->pidfd, &info, WEXITED) < 0) return;
  close(worker->pidfd);
  worker->pidfd = 0;
  if (worker->channel >= 0) close(worker->channel);
  worker->channel = 0;
  start_worker(at);
}

/* To the next worker if this one's channel is full; if all are, the connections are lost. */
static void flush_batch(size_t at) {
  struct limit_batch* batch = &workers[at].batch;
  if (batch->count == 0) return;
  for (size_t tried = 0; tried < options.workers; ++tried) {
    if (limit_channel_send(workers[(at + tried) % options.workers].channel, batch)) break;
  }
  for (size_t fd = 0; fd < batch->count; ++fd) close(batch->fds[fd]);
  batch->count = 0;
}

static void dispatch(void) {
  for (int left = ACCEPTS_A_TURN; left > 0; --left) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) break;
    struct limit_batch* batch = &workers[turn].batch;
    batch->fds[batch->count++] = fd;
    if (batch->count == LIMIT_BATCH) flush_batch(turn);
    if (++turn == options.workers) turn = 0;
  }
  for (size_t at = 0; at < options.workers; ++at) flush_batch(at);
}

/* Until a signal comes. */
static void supervise(void) {
  struct epoll_event events[EVENTS];
  for (;;) {
    int count = epoll_wait(epoll, events, EVENTS, -1);
    for (int at = 0; at < count; ++at) {
      size_t what = events[at].data.u64;
      if (what > options.workers) return;
      if (what == options.workers) {
        dispatch();
      } else {
        on_death(what);
      }
    }
  }
}

int main(int argc, char** argv) {
  struct rlimit files;
  if (!limit_options_parse(&options, argc, argv)) return EXIT_USAGE;
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  epoll = epoll_create1(EPOLL_CLOEXEC);
  open_listener();
  sigemptyset(&signals);
  sigemptyset(&no_signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigprocmask(SIG_SETMASK, &signals, NULL);
  if (options.round_robin) {
    use_policy(SCHED_BATCH);
    watch(listener, options.workers);
  }
  watch(signalfd(-1, &signals, SFD_CLOEXEC), options.workers + 1);
  for (size_t at = 0; at < options.workers; ++at) start_worker(at);
  printf("listening on 127.0.0.1:%d\n", options.port);
  fflush(stdout);
  supervise();
  for (size_t at = 0; at < options.workers; ++at) {
    siginfo_t info;
    pidfd_send_signal(workers[at].pidfd, SIGKILL, NULL, 0);
    waitid(P_PIDFD, (id_t)workers[at].pidfd, &info, WEXITED);
  }
  return 0;
}
