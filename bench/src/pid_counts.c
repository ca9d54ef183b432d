#include "bench/src/pid_counts.h"

void pid_counts_add(struct pid_counts* counts, uint32_t pid, uint64_t count) {
  if (pid == 0) return;
  for (size_t at = pid * 2654435761U;; ++at) {
    struct pid_count* entry = &counts->entries[at & (PID_COUNTS_SIZE - 1)];
    if (entry->pid == 0) {
      if (counts->used == PID_COUNTS_SIZE / 2) return; /* kept half empty, so that searches end */
      ++counts->used;
      entry->pid = pid;
    }
    if (entry->pid == pid) {
      entry->count += count;
      return;
    }
  }
}

void pid_counts_merge(struct pid_counts* to, const struct pid_counts* from) {
  for (size_t at = 0; at < PID_COUNTS_SIZE; ++at) {
    pid_counts_add(to, from->entries[at].pid, from->entries[at].count);
  }
}
