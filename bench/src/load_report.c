#include "bench/src/load_report.h"

#include <inttypes.h>
#include <stdio.h>

void load_report_merge(struct load_result* to, const struct load_result* from) {
  to->done += from->done;
  for (size_t kind = 0; kind < LOAD_FAILURES; ++kind) to->failed[kind] += from->failed[kind];
  to->kept_closed += from->kept_closed;
  to->cpu_seconds += from->cpu_seconds;
  if (from->seconds > to->seconds) to->seconds = from->seconds;
  to->reached |= from->reached;
  histogram_add(&to->latency, &from->latency);
  pid_counts_merge(&to->workers, &from->workers);
}

static void print_latency(const struct histogram* latency) {
  static const struct {
    const char* name;
    double share;
  } kQuantiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}};
  printf("\"latency_us\":{");
  for (size_t at = 0; at < sizeof kQuantiles / sizeof *kQuantiles; ++at) {
    double value = histogram_quantile(latency, kQuantiles[at].share);
    printf("\"%s\":%.1f,", kQuantiles[at].name, value / 1e3);
  }
  printf("\"max\":%.1f,\"mean\":%.1f}", (double)latency->max / 1e3, histogram_mean(latency) / 1e3);
}

static void print_workers(const struct pid_counts* workers) {
  const char* comma = "";
  printf("\"workers\":{");
  for (size_t at = 0; at < PID_COUNTS_SIZE; ++at) {
    const struct pid_count* entry = &workers->entries[at];
    if (entry->pid == 0) continue;
    printf("%s\"%" PRIu32 "\":%" PRIu64, comma, entry->pid, entry->count);
    comma = ",";
  }
  printf("}");
}

void load_report_print(const struct load_options* options, const struct load_result* result) {
  double rate = result->seconds > 0 ? (double)result->done / result->seconds : 0;
  const uint64_t* failed = result->failed;
  printf("{\"mode\":\"%s\",\"seconds\":%.3f,\"done\":%" PRIu64 ",\"rate\":%.1f,",
         options->mode_name, result->seconds, result->done, rate);
  printf("\"failed\":{\"refused\":%" PRIu64 ",\"reset\":%" PRIu64 ",\"timeout\":%" PRIu64
         ",\"empty\":%" PRIu64 ",\"bad\":%" PRIu64 "},",
         failed[LOAD_REFUSED], failed[LOAD_RESET], failed[LOAD_TIMEOUT], failed[LOAD_EMPTY],
         failed[LOAD_BAD]);
  print_latency(&result->latency);
  printf(",\"cpu_s\":%.4f,", result->cpu_seconds);
  print_workers(&result->workers);
  printf(",\"kept_closed\":%" PRIu64 "}\n", result->kept_closed);
}
