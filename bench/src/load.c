/*
 * bench-load: asks a server for answers, as many as it can or at a rate, and says how it went in
 * one line of JSON.
 *
 *     bench-load --address 127.0.0.1:8080 --mode short|keepalive|held [--connections 64]
 *                [--threads 1] [--seconds 3] [--warmup 0.3] [--rate R] [--timeout 5] [--path /]
 *                [--sources 16] [--address ...]
 *
 *   short      a connection for each request, the server closes
 *   keepalive  requests on connections that stay
 *   held       one request on each connection; all stay open until all are answered
 *
 * Without --rate a closed loop: every connection asks as soon as it is answered. With it an open
 * one: requests are due on a fixed schedule, and latency counts from then.
 *
 * Exit code: 0, also with failures, which are counted; 64 usage; 71 nothing could be reached.
 */
#include "bench/src/load_report.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>

enum { EXIT_USAGE = 64, EXIT_SYSTEM = 71 };

static struct load_options options;
static struct engine* engines;
static uint64_t start;

static void* run(void* engine) {
  prctl(PR_SET_TIMERSLACK, 1UL); /* the default of 50 us would be late for every schedule */
  engine_run(engine, start);
  return NULL;
}

static int system_error(const char* what) {
  fprintf(stderr, "bench-load: %s\n", what);
  return EXIT_SYSTEM;
}

int main(int argc, char** argv) {
  pthread_t threads[LOAD_MOST_THREADS];
  static struct load_result total;
  struct rlimit files;
  if (!load_options_parse(&options, argc, argv)) return EXIT_USAGE;
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  engines = calloc(options.threads, sizeof *engines);
  if (engines == NULL) return system_error("no memory");
  for (uint32_t at = 0; at < options.threads; ++at) {
    if (!engine_prepare(&engines[at], &options, at)) return system_error("no memory");
  }
  start = engine_now();
  for (uint32_t at = 1; at < options.threads; ++at) {
    if (pthread_create(&threads[at], NULL, run, &engines[at]) != 0) {
      return system_error("cannot start a thread");
    }
  }
  run(&engines[0]);
  for (uint32_t at = 1; at < options.threads; ++at) pthread_join(threads[at], NULL);
  for (uint32_t at = 0; at < options.threads; ++at) load_report_merge(&total, &engines[at].result);
  load_report_print(&options, &total);
  if (!total.reached) return system_error("nothing could be reached");
  return 0;
}
