/* How many answers came from each process. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { PID_COUNTS_SIZE = 4096 }; /* a power of two, far above the pids that one run meets */

struct pid_counts {
  size_t used;
  struct pid_count {
    uint32_t pid; /* 0 = free */
    uint64_t count;
  } entries[PID_COUNTS_SIZE];
};

/* Pids beyond what there is room for are not counted. */
void pid_counts_add(struct pid_counts* counts, uint32_t pid, uint64_t count);
void pid_counts_merge(struct pid_counts* to, const struct pid_counts* from);
