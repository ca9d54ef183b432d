#include "bench/src/histogram.h"

#include <stddef.h>

static const uint64_t kLinear = 1U << HISTOGRAM_BITS;

/* Below 128 a bucket is one nanosecond; above, the seven bits after the highest select it. */
static size_t bucket_of(uint64_t value) {
  if (value < kLinear) return (size_t)value;
  int shift = 63 - __builtin_clzll(value) - HISTOGRAM_BITS;
  size_t bucket = ((size_t)(shift + 1) << HISTOGRAM_BITS) + (size_t)((value >> shift) - kLinear);
  return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

static double middle_of(size_t bucket) {
  if (bucket < kLinear) return (double)bucket;
  size_t shift = (bucket >> HISTOGRAM_BITS) - 1;
  double width = (double)(1ULL << shift);
  return ((double)(bucket & (kLinear - 1)) + (double)kLinear + 0.5) * width;
}

void histogram_record(struct histogram* histogram, uint64_t value) {
  ++histogram->buckets[bucket_of(value)];
  ++histogram->count;
  histogram->sum += value;
  if (value > histogram->max) histogram->max = value;
}

void histogram_add(struct histogram* to, const struct histogram* from) {
  for (size_t bucket = 0; bucket < HISTOGRAM_BUCKETS; ++bucket) {
    to->buckets[bucket] += from->buckets[bucket];
  }
  to->count += from->count;
  to->sum += from->sum;
  if (from->max > to->max) to->max = from->max;
}

double histogram_quantile(const struct histogram* histogram, double share) {
  double wanted = share * (double)histogram->count;
  uint64_t seen = 0;
  for (size_t bucket = 0; bucket < HISTOGRAM_BUCKETS; ++bucket) {
    seen += histogram->buckets[bucket];
    if (seen == 0 || (double)seen < wanted) continue;
    double middle = middle_of(bucket);
    return middle < (double)histogram->max ? middle : (double)histogram->max;
  }
  return 0;
}

double histogram_mean(const struct histogram* histogram) {
  return histogram->count == 0 ? 0 : (double)histogram->sum / (double)histogram->count;
}
