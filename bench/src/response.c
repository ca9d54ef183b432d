#include "bench/src/response.h"

#include <string.h>
#include <strings.h>

/* -1 if there is no number. */
static int64_t number_at(const char* at, const char* end) {
  while (at < end && *at == ' ') ++at;
  if (at == end || *at < '0' || *at > '9') return -1;
  int64_t number = 0;
  for (; at < end && *at >= '0' && *at <= '9' && number < INT64_MAX / 100; ++at) {
    number = number * 10 + (*at - '0');
  }
  return number;
}

/* What follows "name:" if that is what the line starts with. `name` has its colon. */
static const char* value_of(const char* line, const char* end, const char* name, size_t length) {
  if ((size_t)(end - line) < length || strncasecmp(line, name, length) != 0) return NULL;
  return line + length;
}

static void read_header(struct response* response, const char* line, const char* end) {
  const char* value;
  char first = (char)(*line | 0x20);
  if (first == 'c' && (value = value_of(line, end, "content-length:", 15)) != NULL) {
    response->body_left = number_at(value, end);
  } else if (first == 'c' && (value = value_of(line, end, "connection:", 11)) != NULL) {
    while (value < end && *value == ' ') ++value;
    response->closes = end - value >= 5 && strncasecmp(value, "close", 5) == 0;
  } else if (first == 'x' && (value = value_of(line, end, "x-pid:", 6)) != NULL) {
    int64_t pid = number_at(value, end);
    if (pid > 0) response->pid = (uint32_t)pid;
  }
}

/* The length of the head, 0 if it is not all there, -1 if it is not one. */
static ptrdiff_t read_head(struct response* response, const char* data, size_t size) {
  const char* end = data + size;
  const char* line = data;
  if (memcmp(data, "HTTP/1.", size < 7 ? size : 7) != 0) return -1;
  response->body_left = -1;
  for (;;) {
    const char* newline = memchr(line, '\n', (size_t)(end - line));
    if (newline == NULL) return 0;
    if (newline - line <= 1) { /* the blank one */
      response->has_head = true;
      return newline + 1 - data;
    }
    if (line == data) {
      if (newline - line < 12 || memcmp(line + 8, " 200", 4) != 0) return -1;
    } else {
      read_header(response, line, newline);
    }
    line = newline + 1;
  }
}

static enum response_state read_body(struct response* response, const char* data, size_t size) {
  static const char kMark[] = "pid is ";
  if (response->pid == 0 && size > 0) {
    const char* found = memmem(data, size, kMark, sizeof kMark - 1);
    int64_t pid = found == NULL ? 0 : number_at(found + sizeof kMark - 1, data + size);
    if (pid > 0) response->pid = (uint32_t)pid;
  }
  if (response->body_left < 0) return RESPONSE_MORE;
  if ((int64_t)size > response->body_left) return RESPONSE_BAD;
  response->body_left -= (int64_t)size;
  return response->body_left == 0 ? RESPONSE_COMPLETE : RESPONSE_MORE;
}

void response_reset(struct response* response) {
  memset(response, 0, offsetof(struct response, head));
}

enum response_state response_feed(struct response* response, const char* data, size_t size) {
  response->started = true;
  if (response->has_head) return read_body(response, data, size);
  if (response->head_length > 0) { /* rare: put the pieces together */
    size_t room = RESPONSE_LONGEST_HEAD - response->head_length;
    size_t part = size < room ? size : room;
    memcpy(response->head + response->head_length, data, part);
    size_t before = response->head_length;
    response->head_length = (uint16_t)(before + part);
    ptrdiff_t length = read_head(response, response->head, response->head_length);
    if (length < 0 || (length == 0 && part == room)) return RESPONSE_BAD;
    if (length == 0) return RESPONSE_MORE;
    size_t of_head = (size_t)length - before;
    return read_body(response, data + of_head, size - of_head);
  }
  ptrdiff_t length = read_head(response, data, size);
  if (length < 0 || (length == 0 && size >= RESPONSE_LONGEST_HEAD)) return RESPONSE_BAD;
  if (length > 0) return read_body(response, data + length, size - (size_t)length);
  memcpy(response->head, data, size);
  response->head_length = (uint16_t)size;
  return RESPONSE_MORE;
}

enum response_state response_end(const struct response* response) {
  return response->has_head && response->body_left < 0 ? RESPONSE_COMPLETE : RESPONSE_BAD;
}
