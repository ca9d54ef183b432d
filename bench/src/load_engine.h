/* One thread of load: its connections, its schedule and what it has measured. Nothing is allocated
 * once it runs.
 *
 *   load_engine.c      when a request is due, and on which connection
 *   load_exchange.c    how one request is made and its answer read
 */
#pragma once

#include "bench/src/histogram.h"
#include "bench/src/load_options.h"
#include "bench/src/pid_counts.h"
#include "bench/src/response.h"

enum load_failure { LOAD_REFUSED, LOAD_RESET, LOAD_TIMEOUT, LOAD_EMPTY, LOAD_BAD, LOAD_FAILURES };

struct load_result {
  uint64_t done, failed[LOAD_FAILURES];
  /* A kept connection was closed just as a request went out on it; the request was made again. */
  uint64_t kept_closed;
  double cpu_seconds, seconds;
  bool reached; /* at least one request could be sent */
  struct histogram latency;
  struct pid_counts workers;
};

enum phase {
  PHASE_CLOSED,
  PHASE_CONNECTING, /* the request waits for the connection */
  PHASE_WAITING,    /* for the answer */
  PHASE_ENDING,     /* answered; the server is to close first, since who does keeps TIME_WAIT */
  PHASE_KEPT        /* open, and nothing is asked */
};

struct connection {
  int fd;
  enum phase phase;
  bool resting;        /* on the engine's `idle` stack */
  bool reused;         /* the request is not the connection's first */
  uint32_t owed;       /* keepalive at a rate: requests that are due and not yet made */
  uint64_t next_start; /* keepalive at a rate: which of the starts is its next */
  uint64_t due;        /* the latency of the request under way counts from here */
  uint64_t deadline;
  struct response response;
};

struct engine {
  const struct load_options* options;
  uint32_t index; /* of the thread */
  int epoll;
  uint64_t start, begin, end; /* measured is from `begin` to `end` */
  double interval;            /* between two starts, in ns; 0 = closed loop */
  uint64_t cursor;            /* starts so far */
  size_t capacity, busy;      /* busy: neither closed nor kept */
  size_t idle_count;
  struct connection* connections;
  struct connection** idle;
  uint32_t next_source, next_address;
  double cpu_at_begin;
  bool begun, ended;
  struct load_result result;
  char buffer[65536];
};

uint64_t engine_now(void);

/* By when a request that is due then has to be answered. */
uint64_t engine_deadline(const struct engine* engine, uint64_t due);

/* False if there is no memory or no descriptor for it. */
bool engine_prepare(struct engine* engine, const struct load_options* options, uint32_t index);
void engine_run(struct engine* engine, uint64_t start);

/* For load_exchange.c: what came of a request, and what to do with its connection next. */
void engine_set_phase(struct engine* engine, struct connection* connection, enum phase phase);
void engine_answered(struct engine* engine, struct connection* connection, uint64_t now);
void engine_failed(struct engine* engine, struct connection* connection, enum load_failure why);
void engine_on_kept(struct engine* engine, struct connection* connection, uint64_t now);
void engine_on_closed(struct engine* engine, struct connection* connection);

/* For load_engine.c. Opens a connection and makes a request on it; on one that is kept. */
void exchange_begin(struct engine* engine, struct connection* connection, uint64_t due);
void exchange_request(struct engine* engine, struct connection* connection, uint64_t due);
void exchange_event(struct engine* engine, struct connection* connection, uint32_t events);
void exchange_time_out(struct engine* engine, struct connection* connection);
