/* Connections from the parent to a worker, up to 16 in a message. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { LIMIT_BATCH = 16 };

struct limit_batch {
  size_t count;
  int fds[LIMIT_BATCH];
};

/* False if the channel is full or has ended. The descriptors stay the caller's. */
bool limit_channel_send(int channel, const struct limit_batch* batch);

/* One message. Nothing in it: there is none now, or (false) the channel has ended. */
bool limit_channel_receive(int channel, struct limit_batch* batch);
