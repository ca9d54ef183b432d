#include "bench/src/answer.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { LONGEST_REQUEST = 4096 };

static struct text {
  char bytes[256];
  size_t length;
} kept, closing;

static void prepare(struct text* text, const char* connection) {
  char body[64];
  int length = snprintf(body, sizeof body, "handled by worker, pid is %d\n", (int)getpid());
  text->length = (size_t)snprintf(text->bytes, sizeof text->bytes,
                                  "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n%s", length,
                                  connection, body);
}

void answer_prepare(void) {
  prepare(&kept, "");
  prepare(&closing, "Connection: close\r\n");
}

static uint64_t cpu_time(void) {
  struct timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static void burn(uint64_t microseconds) {
  uint64_t until = cpu_time() + microseconds * 1000;
  while (cpu_time() < until) continue;
}

static bool wants_close(const char* request) {
  return strstr(request, "Connection: close") != NULL || strstr(request, " HTTP/1.0\r") != NULL;
}

enum answer answer(int fd, bool last) {
  static const char kBusy[] = "GET /busy/";
  char request[LONGEST_REQUEST];
  ssize_t got = recv(fd, request, sizeof request - 1, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return ANSWER_WAIT;
  if (got < 4) return ANSWER_END;
  request[got] = '\0';
  if (memcmp(request + got - 4, "\r\n\r\n", 4) != 0) return ANSWER_END;
  if (strncmp(request, kBusy, sizeof kBusy - 1) == 0) {
    burn(strtoull(request + sizeof kBusy - 1, NULL, 10));
  }
  bool close_after = last || wants_close(request);
  const struct text* text = close_after ? &closing : &kept;
  ssize_t sent = send(fd, text->bytes, text->length, MSG_NOSIGNAL);
  return close_after || sent != (ssize_t)text->length ? ANSWER_END : ANSWER_KEPT;
}
