#include "bench/src/limit_worker.h"

#include "bench/src/answer.h"
#include "bench/src/limit_channel.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 64 };

static int epoll = -1;

static void watch(int fd, uint32_t events) {
  struct epoll_event event = {.events = events, .data.fd = fd};
  epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

/* Most have sent their request by now, so they are asked before they are waited for. */
static void on_connection(int fd) {
  if (answer(fd, false) == ANSWER_END) {
    close(fd);
  } else {
    watch(fd, EPOLLIN);
  }
}

static void on_readable(int fd) {
  if (answer(fd, false) != ANSWER_END) return;
  epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL);
  close(fd);
}

static void on_listener(int listener, bool exclusive) {
  int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return; /* another worker was quicker */
  if (exclusive) {
    epoll_ctl(epoll, EPOLL_CTL_DEL, listener, NULL);
    watch(listener, EPOLLIN | EPOLLEXCLUSIVE);
  }
  on_connection(fd);
}

static bool on_channel(int channel) {
  struct limit_batch batch;
  if (!limit_channel_receive(channel, &batch)) return false;
  for (size_t at = 0; at < batch.count; ++at) on_connection(batch.fds[at]);
  return true;
}

int limit_worker_run(const struct limit_options* options, int listener, int channel) {
  struct epoll_event events[EVENTS];
  epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) return 1;
  if (listener < 0) {
    watch(channel, EPOLLIN);
  } else {
    watch(listener, options->exclusive ? EPOLLIN | EPOLLEXCLUSIVE : EPOLLIN);
  }
  answer_prepare();
  for (;;) {
    int count = epoll_wait(epoll, events, EVENTS, -1);
    if (count < 0 && errno != EINTR) return 1;
    for (int at = 0; at < count; ++at) {
      int fd = events[at].data.fd;
      if (fd == listener) {
        on_listener(fd, options->exclusive);
      } else if (fd == channel) {
        if (!on_channel(fd)) return 0;
      } else {
        on_readable(fd);
      }
    }
  }
}
