#pragma once

#include <stdbool.h>
#include <stddef.h>

/* What a child of bench-relay does. */

enum { RELAY_READ = 64 * 1024, RELAY_MOST_BYTES = 64 * 1024 };

enum relay_kind { RELAY_ONEWAY, RELAY_BCAST, RELAY_RTT, RELAY_TURN };

/* Messages that a receiver heard or a driver sent, and how long that took it. In shared memory. */
struct relay_tally {
  long count;
  double seconds;
};

/* False if there is none of this name. */
bool relay_kind(const char* name, enum relay_kind* kind);

/* The driver sends for so long; a receiver hears until its channel ends, or "over" comes. */
void relay_child(int channel, enum relay_kind kind, bool drives, size_t bytes, double seconds,
                 struct relay_tally* tally);
