/*
 * bench-relay: the least that a program which passes messages on can be, in plain C: the limit that
 * messages through a master are compared with. It promises nothing but speed, checks nothing, and
 * knows beforehand who gets what.
 *
 *     bench-relay KIND BYTES SECONDS
 *
 *   oneway   a driver sends lines to one receiver, as fast as they are taken
 *   bcast    to eight
 *   rtt      to one, which sends it back; the next when that has come
 *   turn     to itself
 *
 * The parent reads from each child's channel what there is, finds the ends of lines, and writes
 * them to whom they are for, as much as there is room for at once. One line of JSON says how many
 * messages were heard a second.
 */
#include "bench/src/relay_child.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST_RECEIVERS = 8, ROOM = 1 << 20, EXIT_USAGE = 64, EXIT_SYSTEM = 71 };

static struct peer {
  int channel;
  size_t waiting; /* bytes of whole lines that are to be written */
  size_t part;    /* bytes of a line whose end has not come yet, in `read` */
  char *out, *read;
} peers[1 + MOST_RECEIVERS];
static int receivers;
static enum relay_kind kind;

/* What cannot be written now waits. */
static void flush(struct peer* peer) {
  ssize_t sent = send(peer->channel, peer->out, peer->waiting, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent <= 0) return;
  peer->waiting -= (size_t)sent;
  memmove(peer->out, peer->out + sent, peer->waiting);
}

static void pass(struct peer* peer, const char* lines, size_t size) {
  memcpy(peer->out + peer->waiting, lines, size);
  peer->waiting += size;
}

static bool has_room(int first, int count) {
  for (int i = first; i < first + count; ++i) {
    if (peers[i].waiting > ROOM) return false;
  }
  return true;
}

/* False if the peer is gone. */
static bool read_from(struct peer* peer, int first, int count) {
  ssize_t got = recv(peer->channel, peer->read + peer->part, RELAY_READ, MSG_DONTWAIT);
  if (got < 0) return true;
  if (got == 0) return false;
  size_t size = peer->part + (size_t)got;
  size_t whole = 0;
  const char* end;
  while ((end = memchr(peer->read + whole, '\n', size - whole)) != NULL) {
    size_t line = (size_t)(end + 1 - (peer->read + whole));
    for (int i = first; i < first + count; ++i) pass(&peers[i], peer->read + whole, line);
    whole += line;
  }
  peer->part = size - whole;
  memmove(peer->read, peer->read + whole, peer->part);
  return true;
}

/* Until all are gone. */
static void relay(void) {
  int alive = 1 + receivers;
  while (alive > 0) {
    struct pollfd wanted[1 + MOST_RECEIVERS];
    for (int i = 0; i <= receivers; ++i) {
      bool reads = i > 0 || kind == RELAY_TURN ? has_room(0, 1) : has_room(1, receivers);
      short events = (short)((reads ? POLLIN : 0) | (peers[i].waiting > 0 ? POLLOUT : 0));
      wanted[i] = (struct pollfd){peers[i].channel, events, 0};
    }
    if (poll(wanted, (nfds_t)(1 + receivers), -1) < 0) return;
    for (int i = 0; i <= receivers; ++i) {
      if (wanted[i].revents == 0 || (wanted[i].events & POLLIN) == 0) continue;
      bool back = i > 0 || kind == RELAY_TURN;
      if (!read_from(&peers[i], back ? 0 : 1, back ? 1 : receivers)) {
        close(peers[i].channel);
        peers[i].channel = -1;
        --alive;
      }
    }
    for (int i = 0; i <= receivers; ++i) {
      if (peers[i].channel >= 0 && peers[i].waiting > 0) flush(&peers[i]);
    }
  }
}

static void start(int number, struct relay_tally* tally, size_t bytes, double seconds) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) exit(EXIT_SYSTEM);
  fflush(NULL);
  pid_t pid = fork();
  if (pid < 0) exit(EXIT_SYSTEM);
  if (pid == 0) {
    close(ends[0]);
    for (int i = number + 1; i <= receivers; ++i) close(peers[i].channel);
    relay_child(ends[1], kind, number == 0, bytes, seconds, tally);
    _exit(0);
  }
  close(ends[1]);
  struct peer* peer = &peers[number];
  peer->channel = ends[0];
  peer->out = malloc(ROOM + 2 * (RELAY_READ + RELAY_MOST_BYTES));
  peer->read = malloc(RELAY_READ + RELAY_MOST_BYTES);
  if (peer->out == NULL || peer->read == NULL) exit(EXIT_SYSTEM);
}

int main(int argc, char** argv) {
  long bytes = argc == 4 ? strtol(argv[2], NULL, 10) : 0;
  double seconds = argc == 4 ? strtod(argv[3], NULL) : 0;
  if (bytes < 1 || bytes > RELAY_MOST_BYTES / 2 || seconds <= 0 || !relay_kind(argv[1], &kind)) {
    fputs("bench-relay oneway|bcast|rtt|turn BYTES SECONDS\n", stderr);
    return EXIT_USAGE;
  }
  receivers = kind == RELAY_BCAST ? MOST_RECEIVERS : kind == RELAY_TURN ? 0 : 1;
  size_t size = sizeof(struct relay_tally) * (1 + MOST_RECEIVERS);
  struct relay_tally* tallies =
      mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (tallies == MAP_FAILED) return EXIT_SYSTEM;
  /* The driver last: what it sends would wait for the others. */
  for (int i = receivers; i >= 0; --i) start(i, &tallies[i], (size_t)bytes, seconds);
  relay();
  bool floods = kind == RELAY_ONEWAY || kind == RELAY_BCAST;
  long heard = 0;
  double lasted = 0;
  for (int i = floods ? 1 : 0; i <= (floods ? receivers : 0); ++i) {
    heard += tallies[i].count;
    if (tallies[i].seconds > lasted) lasted = tallies[i].seconds;
  }
  printf("{\"rate\":%.1f,\"heard\":%ld,\"sent\":%ld,\"lost\":0}\n",
         lasted > 0 ? (double)heard / lasted : 0.0, heard, tallies[0].count);
  return 0;
}
