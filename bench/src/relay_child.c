#include "bench/src/relay_child.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BURST = 256 }; /* messages between two looks at the clock */

static const char over[] = "over\n";

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

bool relay_kind(const char* name, enum relay_kind* kind) {
  static const char* const names[] = {"oneway", "bcast", "rtt", "turn"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; ++i) {
    if (strcmp(name, names[i]) != 0) continue;
    *kind = (enum relay_kind)i;
    return true;
  }
  return false;
}

static void write_all(int channel, const char* data, size_t size) {
  while (size > 0) {
    ssize_t sent = send(channel, data, size, MSG_NOSIGNAL);
    if (sent <= 0) _exit(1);
    data += sent;
    size -= (size_t)sent;
  }
}

/* As an envelope is, with data of so many bytes. */
static size_t make_line(char* line, size_t bytes) {
  int head = sprintf(line, "{\"action\":\"m\",\"receiverSlot\":1,\"senderPid\":%d,\"data\":\"",
                     (int)getpid());
  memset(line + head, 'x', bytes);
  memcpy(line + (size_t)head + bytes, "\"}\n", 3);
  return (size_t)head + bytes + 3;
}

static void flood(int channel, const char* line, size_t size, double seconds,
                  struct relay_tally* tally) {
  /* What clusterd's library gathers in a turn of its loop. */
  size_t most = BURST * size > RELAY_READ ? RELAY_READ / size : BURST;
  if (most == 0) most = 1;
  char* lines = malloc(most * size);
  if (lines == NULL) _exit(1);
  for (size_t i = 0; i < most; ++i) memcpy(lines + i * size, line, size);
  double end = now() + seconds;
  while (now() < end) {
    write_all(channel, lines, most * size);
    tally->count += (long)most;
  }
  write_all(channel, over, sizeof over - 1);
  free(lines);
}

/* Reads until a line's end. */
static void read_line(int channel, char* data) {
  for (;;) {
    ssize_t got = recv(channel, data, RELAY_READ, 0);
    if (got <= 0) _exit(1);
    if (data[got - 1] == '\n') return;
  }
}

static void rounds(int channel, const char* line, size_t size, double seconds,
                   struct relay_tally* tally) {
  char* data = malloc(RELAY_READ);
  if (data == NULL) _exit(1);
  double begin = now();
  do {
    write_all(channel, line, size);
    read_line(channel, data);
    ++tally->count;
    tally->seconds = now() - begin;
  } while (tally->seconds < seconds);
  write_all(channel, over, sizeof over - 1);
  free(data);
}

static void drive(int channel, enum relay_kind kind, size_t bytes, double seconds,
                  struct relay_tally* tally) {
  char* line = malloc(bytes + 256);
  if (line == NULL) _exit(1);
  size_t size = make_line(line, bytes);
  if (kind == RELAY_ONEWAY || kind == RELAY_BCAST) {
    flood(channel, line, size, seconds, tally);
  } else {
    rounds(channel, line, size, seconds, tally);
  }
  free(line);
}

static bool ends_over(const char* data, size_t size) {
  const size_t length = sizeof over - 1;
  return size >= length && memcmp(data + size - length, over, length) == 0;
}

static void hear(int channel, enum relay_kind kind, struct relay_tally* tally) {
  char* data = malloc(RELAY_READ);
  if (data == NULL) _exit(1);
  double begin = 0;
  for (;;) {
    ssize_t got = recv(channel, data, RELAY_READ, 0);
    if (got <= 0) break;
    if (tally->count == 0) begin = now();
    const char* at = data;
    const char* end = data + got;
    const char* found;
    while ((found = memchr(at, '\n', (size_t)(end - at))) != NULL) {
      ++tally->count;
      at = found + 1;
    }
    tally->seconds = now() - begin;
    if (ends_over(data, (size_t)got)) {
      --tally->count;
      break;
    }
    if (kind == RELAY_RTT) write_all(channel, data, (size_t)got);
  }
  free(data);
}

void relay_child(int channel, enum relay_kind kind, bool drives, size_t bytes, double seconds,
                 struct relay_tally* tally) {
  if (drives) {
    drive(channel, kind, bytes, seconds, tally);
  } else {
    hear(channel, kind, tally);
  }
  close(channel);
}
