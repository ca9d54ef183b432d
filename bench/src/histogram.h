/* Times in nanoseconds, counted in log-linear buckets: 128 for each power of two, so that a value
 * read back is within 0.4 % of what was recorded. Fixed size; recording is one increment. */
#pragma once

#include <stdint.h>

enum {
  HISTOGRAM_BITS = 7,
  HISTOGRAM_POWERS = 38, /* the last bucket takes all from 2^38 ns (275 s) on */
  HISTOGRAM_BUCKETS = (HISTOGRAM_POWERS - HISTOGRAM_BITS + 1) << HISTOGRAM_BITS
};

struct histogram {
  uint64_t count, sum, max;
  uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_record(struct histogram* histogram, uint64_t value);
void histogram_add(struct histogram* to, const struct histogram* from);

/* The value that `share` (0 to 1) of all are not above; 0 if there are none. */
double histogram_quantile(const struct histogram* histogram, double share);
double histogram_mean(const struct histogram* histogram);
