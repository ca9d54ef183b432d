/* Reads an HTTP answer in the pieces that it comes in: where it ends, whether the connection ends
 * with it, and which process it is from ("pid is NUMBER" in the body, or X-Pid: NUMBER). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RESPONSE_LONGEST_HEAD = 2048 };

enum response_state { RESPONSE_MORE, RESPONSE_COMPLETE, RESPONSE_BAD };

struct response {
  int64_t body_left; /* -1: the body ends with the connection */
  uint32_t pid;      /* 0 = unknown */
  uint16_t head_length;
  bool started;                     /* a byte has come */
  bool has_head;                    /* all headers have come */
  bool closes;                      /* the server says that it closes the connection */
  char head[RESPONSE_LONGEST_HEAD]; /* the beginning of one that came in pieces */
};

void response_reset(struct response* response);
enum response_state response_feed(struct response* response, const char* data, size_t size);

/* The connection has ended. */
enum response_state response_end(const struct response* response);
