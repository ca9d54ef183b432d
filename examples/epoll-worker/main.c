/*
 * An HTTP server in C with an epoll loop of its own, on all cores under clusterd and by itself
 * without it:
 *
 *     clusterd start app.conf              with command = [".../epoll-worker"]
 *     epoll-worker [127.0.0.1:8080]        this one alone
 *
 * The worker library's loop goes around this one, which it watches as one descriptor. Connections
 * are kept alive.
 */
#include <clusterd/worker.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LONGEST_HEAD = 4096, EVENTS = 64 };

struct session {
  clusterd_connection* connection;
  struct session *next, *before; /* all sessions, so that a drain finds the idle ones */
  int answered;                  /* requests */
  size_t length;
  char head[LONGEST_HEAD];
};

struct server {
  clusterd_worker* worker;
  int epoll;
  struct session sessions; /* the list's anchor */
  char body[128];
};

static void end_session(struct server* server, struct session* session) {
  session->before->next = session->next;
  session->next->before = session->before;
  /* Not by itself: the master may have a copy of the socket, a moment more. */
  epoll_ctl(server->epoll, EPOLL_CTL_DEL, clusterd_connection_fd(session->connection), NULL);
  clusterd_connection_close(session->connection);
  free(session);
}

static void on_connection(void* user, clusterd_connection* connection) {
  struct server* server = user;
  struct session* session = calloc(1, sizeof *session);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = session};
  if (session == NULL ||
      epoll_ctl(server->epoll, EPOLL_CTL_ADD, clusterd_connection_fd(connection), &event) < 0) {
    clusterd_connection_close(connection);
    free(session);
    return;
  }
  session->connection = connection;
  session->next = server->sessions.next;
  session->before = &server->sessions;
  session->next->before = session;
  server->sessions.next = session;
}

/* Between two requests, and the next one has not begun to arrive. One whose first has not come yet
 * is served: its client may not know that it can be tried again. */
static int is_idle(const struct session* session) {
  char byte;
  return session->answered > 0 && session->length == 0 &&
         recv(clusterd_connection_fd(session->connection), &byte, 1, MSG_PEEK) < 0;
}

static void on_drain(void* user) {
  struct server* server = user;
  struct session* session = server->sessions.next;
  while (session != &server->sessions) {
    struct session* next = session->next;
    if (is_idle(session)) end_session(server, session);
    session = next;
  }
}

/* 1 if the request in `head` asks for the connection to end after the answer. */
static int wants_close(const char* head) {
  return strstr(head, "Connection: close") != NULL || strstr(head, "HTTP/1.0") != NULL;
}

static void on_readable(struct server* server, struct session* session) {
  int fd = clusterd_connection_fd(session->connection);
  ssize_t got = recv(fd, session->head + session->length, LONGEST_HEAD - 1 - session->length, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) {
    end_session(server, session);
    return;
  }
  session->length += (size_t)got;
  session->head[session->length] = '\0';
  char* end = strstr(session->head, "\r\n\r\n");
  if (end == NULL) {
    if (session->length == LONGEST_HEAD - 1) end_session(server, session);
    return;
  }
  int close_after = wants_close(session->head) || clusterd_worker_draining(server->worker);
  char answer[256];
  int length =
      snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n%s\r\n%s",
               strlen(server->body), close_after ? "Connection: close\r\n" : "", server->body);
  if (send(fd, answer, (size_t)length, MSG_NOSIGNAL) != length) {
    close_after = 1; /* a client that does not even read so little */
  }
  clusterd_worker_count_request(server->worker);
  session->length = 0;
  ++session->answered;
  if (close_after) end_session(server, session);
}

static void on_events(void* user) {
  struct server* server = user;
  struct epoll_event events[EVENTS];
  int count = epoll_wait(server->epoll, events, EVENTS, 0);
  for (int at = 0; at < count; ++at) on_readable(server, events[at].data.ptr);
}

static int fail(void) {
  fprintf(stderr, "epoll-worker: %s\n", clusterd_last_error());
  return 1;
}

int main(int argc, char** argv) {
  static struct server server;
  char address[128];
  server.sessions.next = server.sessions.before = &server.sessions;
  server.epoll = epoll_create1(EPOLL_CLOEXEC);
  server.worker = clusterd_worker_new();
  if (server.worker == NULL) return fail();

  snprintf(server.body, sizeof server.body, "handled by worker, pid is %d\n", (int)getpid());
  int listener = clusterd_worker_listen(server.worker, "", argc > 1 ? argv[1] : "127.0.0.1:8080",
                                        on_connection, &server);
  if (listener < 0) return fail();
  clusterd_worker_on_drain(server.worker, on_drain, &server);
  if (!clusterd_worker_managed(server.worker)) {
    clusterd_worker_address(server.worker, listener, address, sizeof address);
    printf("serving on http://%s\n", address);
    fflush(stdout);
  }

  if (clusterd_worker_watch(server.worker, server.epoll, on_events, &server) < 0) return fail();
  if (clusterd_worker_ready(server.worker) < 0) return fail();
  int code = clusterd_worker_run(server.worker);
  clusterd_worker_free(server.worker);
  close(server.epoll);
  return code;
}
