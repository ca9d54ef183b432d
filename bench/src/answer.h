/* What both servers, bench-limit and bench-worker, do with a connection: the very same system
 * calls, so that a difference between them is their supervisors'. */
#pragma once

#include <stdbool.h>

enum answer {
  ANSWER_WAIT, /* nothing to read yet: wait until readable */
  ANSWER_KEPT, /* answered, and the connection stays: wait until readable */
  ANSWER_END   /* close it */
};

/* Before the first answer, in the process that gives it: the answers carry its pid. */
void answer_prepare(void);

/* Reads one request from a non-blocking socket and answers it. The client decides whether the
 * connection stays, unless this is to be its `last`. A request has to come in one piece.
 * GET /busy/N burns N us of CPU first. */
enum answer answer(int fd, bool last);
