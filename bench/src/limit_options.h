/* What bench-limit is asked to do. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LIMIT_MOST_WORKERS = 256 };

struct limit_options {
  size_t workers;
  uint16_t port;    /* 0 = the kernel picks one */
  bool exclusive;   /* EPOLLEXCLUSIVE, and to the end of the queue after each accept */
  bool batch;       /* SCHED_BATCH for the workers */
  bool round_robin; /* the parent accepts and passes connections, in batches */
};

/* False if the arguments are no use; why is then on stderr. */
bool limit_options_parse(struct limit_options* options, int argc, char** argv);
