/* A worker that sends what it is asked to send and tells what it has heard, on the C interface; TO
 * is a number of enum clusterd_to.
 *
 * - GET /send/TO/NUMBER/ACTION/DATA answers what the call gave.
 * - GET /ask/TO/NUMBER/ACTION/MS sends a request, and answers what the call gave. Everybody answers
 *   "count", nobody "silent", and "die" ends who gets it.
 * - GET /flood/COUNT/BYTES sends to all; answers how many were queued.
 * - GET /stream/COUNT/BYTES/PID sends numbered messages to all, as fast as all but PID take them.
 * - GET /streamed answers how many of those it has heard, how often one was missing before, how
 * many it sent, and the number after the last one that it heard.
 * - GET /deaf/MS handles nothing for so long.
 * - GET /news answers all that its callbacks were told, a line each.
 */
#include <clusterd/worker.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static clusterd_worker* worker;
static char news[1024 * 1024];
static size_t news_length;

static void add_news(const char* what, const char* name, const char* data) {
  const size_t room = sizeof news - news_length;
  const int length = snprintf(news + news_length, room, "%s %s %s\n", what, name, data);
  if (length > 0 && (size_t)length < room) news_length += (size_t)length;
}

static void on_message(void* user, const clusterd_message* message) {
  const char* shown = message->data_length > 100 ? "(long)" : message->data;
  add_news(user, message->action, strlen(message->data) == message->data_length ? shown : "(torn)");
}

static void on_event(void* user, const char* event) { add_news(user, event, ""); }

static void on_undelivered(void* user, const char* action, int64_t count) {
  char text[32];
  snprintf(text, sizeof text, "%lld", (long long)count);
  add_news(user, action, text);
}

static void go_on(void* user);

static void on_room(void* user) {
  add_news(user, "", "");
  go_on(NULL);
}

static void on_answer(void* user, const clusterd_answer* answer) {
  char text[32];
  snprintf(text, sizeof text, "%d", answer->outcome);
  add_news(user, text, answer->data);
}

static void on_count(void* user, const clusterd_message* message) {
  (void)user;
  clusterd_worker_reply(worker, message->sender_pid, message->request, "[7]");
}

static void on_die(void* user, const clusterd_message* message) {
  (void)user;
  (void)message;
  _exit(3);
}

static struct {
  int left;
  int bytes;
  int64_t ignored; /* this receiver may be slow */
  int slow;        /* so many others are */
  int sent;
  int heard;
  int gaps;
  int next;
  char* text;
} stream;

static void go_on(void* user) {
  (void)user;
  for (int burst = 0; burst < 8 && stream.left > 0 && stream.slow == 0; ++burst) {
    const int length = snprintf(stream.text, 32, "[%d,\"", stream.sent);
    memset(stream.text + length, 'x', (size_t)stream.bytes);
    memcpy(stream.text + length + stream.bytes, "\"]", 3);
    if (clusterd_worker_send(worker, CLUSTERD_TO_ALL, 0, "stream", stream.text) != 1) return;
    ++stream.sent;
    --stream.left;
  }
  if (stream.left > 0 && stream.slow == 0) clusterd_worker_post(worker, go_on, NULL);
}

static void on_pressure(void* user, int64_t pid, int high) {
  if (pid == stream.ignored) {
    add_news(user, high ? "high" : "low", "");
    return;
  }
  stream.slow += high ? 1 : -1;
  if (stream.slow == 0) go_on(NULL);
}

static void on_stream(void* user, const clusterd_message* message) {
  (void)user;
  int number = -1;
  sscanf(message->data, "[%d,", &number);
  ++stream.heard;
  if (number != stream.next) ++stream.gaps;
  stream.next = number + 1;
}

static void start_stream(int count, int bytes, int64_t ignored) {
  free(stream.text);
  stream.text = malloc((size_t)bytes + 64);
  stream.left = stream.text == NULL ? 0 : count;
  stream.bytes = bytes;
  stream.ignored = ignored;
  go_on(NULL);
}

static int flood(int count, int bytes) {
  char* data = malloc((size_t)bytes + 3);
  if (data == NULL) return -1;
  memset(data, 'x', (size_t)bytes + 2);
  data[0] = data[bytes + 1] = '"';
  data[bytes + 2] = '\0';
  int queued = 0;
  for (int i = 0; i < count; ++i) {
    queued += clusterd_worker_send(worker, CLUSTERD_TO_ALL, 0, "flood", data) == 1;
  }
  free(data);
  return queued;
}

static void answer(int fd, const char* body) {
  char head[128];
  const int length =
      snprintf(head, sizeof head,
               "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n", strlen(body));
  (void)!send(fd, head, (size_t)length, MSG_NOSIGNAL);
  const char* rest = body;
  while (*rest != '\0') {
    const ssize_t sent = send(fd, rest, strlen(rest), MSG_NOSIGNAL);
    struct pollfd writable = {fd, POLLOUT, 0};
    if (sent > 0) rest += sent;
    if (sent <= 0 && poll(&writable, 1, 5000) <= 0) return;
  }
}

static void on_connection(void* user, clusterd_connection* connection) {
  (void)user;
  const int fd = clusterd_connection_fd(connection);
  struct pollfd readable = {fd, POLLIN, 0};
  char request[4096] = "";
  char reply[256];
  if (poll(&readable, 1, 5000) > 0) (void)!recv(fd, request, sizeof request - 1, 0);
  int to = 0;
  int first = 0;
  int second = 0;
  char action[64] = "";
  char data[256] = "";
  if (sscanf(request, "GET /send/%d/%d/%63[^/]/%255s", &to, &first, action, data) == 4) {
    const int sent = clusterd_worker_send(worker, to, first, action, data);
    snprintf(reply, sizeof reply, "%d %s", sent, sent < 0 ? clusterd_last_error() : "");
    answer(fd, reply);
  } else if (sscanf(request, "GET /flood/%d/%d", &first, &second) == 2) {
    snprintf(reply, sizeof reply, "%d", flood(first, second));
    answer(fd, reply);
  } else if (sscanf(request, "GET /ask/%d/%d/%63[^/]/%d", &to, &first, action, &second) == 4) {
    const int sent =
        clusterd_worker_request(worker, to, first, action, NULL, second, on_answer, "answer");
    snprintf(reply, sizeof reply, "%d %s", sent, sent < 0 ? clusterd_last_error() : "");
    answer(fd, reply);
  } else if (sscanf(request, "GET /stream/%d/%d/%d", &first, &second, &to) == 3) {
    start_stream(first, second, to);
    answer(fd, "soon");
  } else if (strncmp(request, "GET /streamed ", 14) == 0) {
    snprintf(reply, sizeof reply, "%d %d %d %d", stream.heard, stream.gaps, stream.sent,
             stream.next);
    answer(fd, reply);
  } else if (sscanf(request, "GET /deaf/%d", &first) == 1) {
    answer(fd, "soon");
    poll(NULL, 0, first);
  } else {
    answer(fd, news);
  }
  clusterd_connection_close(connection);
}

int main(void) {
  worker = clusterd_worker_new();
  if (worker == NULL ||
      clusterd_worker_listen(worker, "", "127.0.0.1:0", on_connection, NULL) < 0 ||
      clusterd_worker_on_message(worker, "", on_message, "other") < 0 ||
      clusterd_worker_on_message(worker, "refresh", on_message, "message") < 0 ||
      clusterd_worker_on_message(worker, "flood", on_message, "message") < 0 ||
      clusterd_worker_on_message(worker, "count", on_count, NULL) < 0 ||
      clusterd_worker_on_message(worker, "die", on_die, NULL) < 0 ||
      clusterd_worker_on_message(worker, "stream", on_stream, NULL) < 0 ||
      clusterd_worker_once(worker, "once", on_message, "once") < 0) {
    fprintf(stderr, "messages-worker: %s\n", clusterd_last_error());
    return 1;
  }
  clusterd_worker_on_event(worker, on_event, "event");
  clusterd_worker_on_undelivered(worker, on_undelivered, "undelivered");
  clusterd_worker_on_send_room(worker, on_room, "room");
  clusterd_worker_on_pressure(worker, on_pressure, "pressure");
  char address[64];
  clusterd_worker_address(worker, 0, address, sizeof address);
  if (!clusterd_worker_managed(worker)) {
    printf("serving on %s\n", address);
    fflush(stdout);
  }
  clusterd_worker_ready(worker);
  const int code = clusterd_worker_run(worker);
  clusterd_worker_free(worker);
  return code;
}
