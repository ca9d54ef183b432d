/* When a request is due, and on which connection; the loop around both. */
#include "bench/src/load_engine.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 256, STARTS_A_TURN = 64, MOST_AT_ONCE = 60000 };

static const uint64_t kMillisecond = 1000000;

static double seconds_of(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

uint64_t engine_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static bool keeps(const struct engine* engine) { return engine->options->mode == LOAD_KEEPALIVE; }
static bool holds(const struct engine* engine) { return engine->options->mode == LOAD_HELD; }

/* At a rate, what counts is when a request should have been made, so that none is left out because
 * the server kept its client waiting; else when it is answered. */
static bool is_measured(const struct engine* engine, uint64_t due, uint64_t now) {
  uint64_t at = engine->interval > 0 ? due : now;
  return holds(engine) || (at >= engine->begin && at < engine->end);
}

void engine_set_phase(struct engine* engine, struct connection* connection, enum phase phase) {
  bool was = connection->phase != PHASE_CLOSED && connection->phase != PHASE_KEPT;
  bool is = phase != PHASE_CLOSED && phase != PHASE_KEPT;
  connection->phase = phase;
  engine->busy += is;
  engine->busy -= was;
}

static void rest(struct engine* engine, struct connection* connection) {
  engine_set_phase(engine, connection, PHASE_CLOSED);
  if (connection->resting) return;
  connection->resting = true;
  engine->idle[engine->idle_count++] = connection;
}

void engine_answered(struct engine* engine, struct connection* connection, uint64_t now) {
  if (!is_measured(engine, connection->due, now)) return;
  ++engine->result.done;
  histogram_record(&engine->result.latency, now > connection->due ? now - connection->due : 0);
  pid_counts_add(&engine->result.workers, connection->response.pid, 1);
}

static void count_failure(struct engine* engine, uint64_t due, enum load_failure why) {
  if (is_measured(engine, due, engine_now())) ++engine->result.failed[why];
}

void engine_failed(struct engine* engine, struct connection* connection, enum load_failure why) {
  count_failure(engine, connection->due, why);
  rest(engine, connection);
}

uint64_t engine_deadline(const struct engine* engine, uint64_t due) {
  return due + (uint64_t)(engine->options->timeout * 1e9);
}

static uint64_t due_of(const struct engine* engine, uint64_t start) {
  double place = (double)start + (double)engine->index / engine->options->threads;
  return engine->start + (uint64_t)(place * engine->interval);
}

static uint64_t due_at(const struct engine* engine) { return due_of(engine, engine->cursor); }

/* The next request that this connection owes. Those whose time is over before they could be made
 * have failed. */
static bool take_owed(struct engine* engine, struct connection* connection, uint64_t* due) {
  uint64_t now = engine_now();
  while (connection->owed > 0) {
    *due = due_of(engine, connection->next_start);
    --connection->owed;
    connection->next_start += engine->capacity;
    if (now < engine_deadline(engine, *due)) return true;
    count_failure(engine, *due, LOAD_TIMEOUT);
  }
  return false;
}

void engine_on_kept(struct engine* engine, struct connection* connection, uint64_t now) {
  uint64_t due;
  if (!keeps(engine)) return; /* held as it is */
  if (engine->interval > 0) {
    if (take_owed(engine, connection, &due)) exchange_request(engine, connection, due);
  } else if (now < engine->end) {
    exchange_request(engine, connection, now);
  }
}

void engine_on_closed(struct engine* engine, struct connection* connection) {
  uint64_t now = engine_now();
  if (engine->interval > 0 || holds(engine) || now >= engine->end) {
    rest(engine, connection);
    return;
  }
  engine_set_phase(engine, connection, PHASE_CLOSED);
  exchange_begin(engine, connection, now);
}

static bool all_started(const struct engine* engine) {
  if (holds(engine)) return engine->cursor >= engine->capacity;
  return engine->interval > 0 && due_at(engine) >= engine->end;
}

/* The connections are asked in turn; one that is busy makes its request when it has its answer. */
static void start_on_kept(struct engine* engine, uint64_t now) {
  struct connection* connection = &engine->connections[engine->cursor++ % engine->capacity];
  ++connection->owed;
  if (connection->phase == PHASE_KEPT) {
    engine_on_kept(engine, connection, now);
  } else if (connection->phase == PHASE_CLOSED) {
    rest(engine, connection);
  }
}

/* Without a free connection a start waits, and its latency runs; in the end it has failed. */
static void start_scheduled(struct engine* engine, uint64_t now) {
  int left = STARTS_A_TURN;
  while (left > 0 && !all_started(engine)) {
    uint64_t due = due_at(engine);
    if (due > now) return;
    if (keeps(engine)) {
      start_on_kept(engine, now);
      --left;
    } else if (now >= engine_deadline(engine, due)) {
      ++engine->cursor;
      count_failure(engine, due, LOAD_TIMEOUT);
    } else {
      if (engine->idle_count == 0) return;
      struct connection* connection = engine->idle[--engine->idle_count];
      connection->resting = false;
      ++engine->cursor;
      --left;
      exchange_begin(engine, connection, due);
    }
  }
}

/* Connections that rest and have something to ask: all in a closed loop, those that owe else. */
static void start_resting(struct engine* engine, uint64_t now) {
  bool paced = engine->interval > 0;
  uint64_t due;
  if (paced && !keeps(engine)) return;
  size_t left = engine->idle_count < STARTS_A_TURN ? engine->idle_count : STARTS_A_TURN;
  for (; left > 0; --left) {
    if (!paced && (holds(engine) ? all_started(engine) : now >= engine->end)) return;
    struct connection* connection = engine->idle[0];
    engine->idle[0] = engine->idle[--engine->idle_count]; /* who has just failed goes last */
    connection->resting = false;
    engine->cursor += holds(engine);
    if (!paced) {
      exchange_begin(engine, connection, engine_now());
    } else if (take_owed(engine, connection, &due)) {
      exchange_begin(engine, connection, due);
    }
  }
}

static uint64_t time_out_old(struct engine* engine, uint64_t now) {
  for (size_t at = 0; at < engine->capacity; ++at) {
    struct connection* connection = &engine->connections[at];
    bool busy = connection->phase != PHASE_CLOSED && connection->phase != PHASE_KEPT;
    if (busy && connection->deadline <= now) exchange_time_out(engine, connection);
  }
  uint64_t step = (uint64_t)(engine->options->timeout * 1e9 / 50);
  return now + (step > kMillisecond ? step : kMillisecond);
}

static uint64_t wait_time(const struct engine* engine, uint64_t now) {
  uint64_t until = now + 10 * kMillisecond;
  bool retries = engine->idle_count > 0 && (engine->interval <= 0 || keeps(engine));
  if (retries && !all_started(engine)) until = now + kMillisecond / 2;
  bool can_start = engine->idle_count > 0 || keeps(engine);
  if (engine->interval > 0 && can_start && !all_started(engine)) {
    uint64_t due = due_at(engine);
    if (due < until) until = due;
  }
  return until > now ? until - now : 0;
}

static void mark_time(struct engine* engine, uint64_t now, bool over) {
  struct load_result* result = &engine->result;
  if (!engine->begun && (now >= engine->begin || holds(engine))) {
    engine->begun = true;
    engine->cpu_at_begin = seconds_of(CLOCK_THREAD_CPUTIME_ID);
  }
  if (engine->begun && !engine->ended && (holds(engine) ? over : now >= engine->end)) {
    engine->ended = true;
    result->cpu_seconds = seconds_of(CLOCK_THREAD_CPUTIME_ID) - engine->cpu_at_begin;
    result->seconds = (double)((holds(engine) ? now : engine->end) -
                               (holds(engine) ? engine->start : engine->begin)) *
                      1e-9;
  }
}

/* Over when everything that was started has its answer; a closed loop waits a second for the last
 * ones, which do not count. */
static bool is_over(const struct engine* engine, uint64_t now) {
  if (holds(engine)) return all_started(engine) && engine->busy == 0;
  if (engine->interval <= 0) {
    return now >= engine->end && (engine->busy == 0 || now >= engine->end + 1000 * kMillisecond);
  }
  if (keeps(engine) && engine->idle_count > 0) return false; /* it may owe requests */
  bool late = now >= engine->end + (uint64_t)(engine->options->timeout * 2e9);
  return now >= engine->end && (late || (all_started(engine) && engine->busy == 0));
}

void engine_run(struct engine* engine, uint64_t start) {
  const struct load_options* options = engine->options;
  struct epoll_event events[EVENTS];
  uint64_t next_check = start;
  engine->start = start;
  engine->begin = start + (uint64_t)(options->warmup * 1e9);
  engine->end = engine->begin + (uint64_t)(options->seconds * 1e9);
  for (;;) {
    uint64_t now = engine_now();
    bool over = is_over(engine, now);
    mark_time(engine, now, over);
    if (over) return;
    if (now >= next_check) next_check = time_out_old(engine, now);
    start_resting(engine, now);
    if (engine->interval > 0) start_scheduled(engine, now);
    uint64_t wait = wait_time(engine, engine_now());
    struct timespec timeout = {.tv_nsec = (long)wait};
    int count = epoll_pwait2(engine->epoll, events, EVENTS, &timeout, NULL);
    for (int at = 0; at < count; ++at) {
      exchange_event(engine, events[at].data.ptr, events[at].events);
    }
  }
}

static size_t capacity_of(const struct load_options* options, uint32_t index) {
  struct rlimit files;
  size_t capacity =
      options->connections / options->threads + (index < options->connections % options->threads);
  if (options->mode == LOAD_SHORT && options->rate > 0) {
    /* All that can be under way when nothing is answered: an open loop does not wait. */
    capacity += (size_t)(options->rate * options->timeout / options->threads) + STARTS_A_TURN;
    if (capacity > MOST_AT_ONCE / options->threads) capacity = MOST_AT_ONCE / options->threads;
  }
  getrlimit(RLIMIT_NOFILE, &files);
  size_t most = files.rlim_cur > 64 ? (files.rlim_cur - 64) / options->threads : 1;
  return capacity < most ? capacity : most;
}

bool engine_prepare(struct engine* engine, const struct load_options* options, uint32_t index) {
  engine->options = options;
  engine->index = index;
  engine->interval = options->rate > 0 ? 1e9 * options->threads / options->rate : 0;
  engine->capacity = capacity_of(options, index);
  engine->next_address = index; /* so that few connections over many threads reach every address */
  engine->epoll = epoll_create1(EPOLL_CLOEXEC);
  engine->connections = calloc(engine->capacity, sizeof *engine->connections);
  engine->idle = calloc(engine->capacity, sizeof(struct connection*));
  if (engine->epoll < 0 || engine->connections == NULL || engine->idle == NULL) return false;
  for (size_t at = engine->capacity; at-- > 0;) {
    engine->connections[at].fd = -1;
    engine->connections[at].next_start = at;
    rest(engine, &engine->connections[at]);
  }
  return true;
}
