/* What bench-load is asked to do. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LOAD_MOST_ADDRESSES = 64, LOAD_MOST_THREADS = 64, LOAD_LONGEST_REQUEST = 1024 };

enum load_mode { LOAD_SHORT, LOAD_KEEPALIVE, LOAD_HELD };

struct load_options {
  struct sockaddr_in addresses[LOAD_MOST_ADDRESSES];
  size_t address_count;
  enum load_mode mode;
  const char* mode_name;
  uint32_t connections, threads, sources;
  double seconds, warmup, timeout;
  double rate; /* 0 = closed loop */
  const char* path;
  char request[LOAD_LONGEST_REQUEST];
  size_t request_length;
};

/* False if the arguments are no use; why is then on stderr. */
bool load_options_parse(struct load_options* options, int argc, char** argv);
