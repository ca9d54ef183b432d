/* One connection: connect, ask, read the answer, close. */
#include "bench/src/load_engine.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

static const uint32_t kLoopback = 0x7F000001;

static enum load_failure failure_of(int error) {
  switch (error) {
    case ECONNREFUSED:
      return LOAD_REFUSED;
    case ECONNRESET:
    case EPIPE:
      return LOAD_RESET;
    case ETIMEDOUT:
      return LOAD_TIMEOUT;
    default:
      return LOAD_BAD; /* EADDRNOTAVAIL, EMFILE: this program's own lack */
  }
}

static void give_up(struct engine* engine, struct connection* connection, enum load_failure why) {
  if (connection->fd >= 0) close(connection->fd);
  connection->fd = -1;
  engine_failed(engine, connection, why);
}

/* Every connection from the next address of 127.0.0.0/8: each has its own ports. The port is left
 * to connect(), which may take one that is in use towards other servers. */
static int bind_source(struct engine* engine, int fd, const struct sockaddr_in* to) {
  const int on = 1;
  uint32_t sources = engine->options->sources;
  if (sources < 2 || ntohl(to->sin_addr.s_addr) >> 24 != 127) return 0;
  if (++engine->next_source >= sources) engine->next_source = 0;
  struct sockaddr_in from = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(kLoopback + engine->next_source)};
  if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on) < 0) return -1;
  return bind(fd, (const struct sockaddr*)&from, sizeof from);
}

static int open_connection(struct engine* engine) {
  const struct load_options* options = engine->options;
  if (++engine->next_address >= options->address_count) engine->next_address = 0;
  const struct sockaddr_in* to = &options->addresses[engine->next_address];
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  if (bind_source(engine, fd, to) < 0 ||
      (connect(fd, (const struct sockaddr*)to, sizeof *to) < 0 && errno != EINPROGRESS)) {
    int error = errno;
    close(fd);
    errno = error;
    return -1;
  }
  return fd;
}

/* 1 sent, 0 not connected yet, -1 failed. */
static int send_request(struct engine* engine, struct connection* connection) {
  const struct load_options* options = engine->options;
  ssize_t sent = send(connection->fd, options->request, options->request_length, MSG_NOSIGNAL);
  if (sent < 0) return errno == EAGAIN ? 0 : -1;
  engine->result.reached = true;
  return 1;
}

void exchange_begin(struct engine* engine, struct connection* connection, uint64_t due) {
  response_reset(&connection->response);
  connection->due = due;
  connection->deadline = engine_deadline(engine, due);
  connection->reused = false;
  connection->fd = open_connection(engine);
  if (connection->fd < 0) {
    give_up(engine, connection, failure_of(errno));
    return;
  }
  /* On the loopback the handshake is over when connect() returns, whatever it returns. */
  int sent = send_request(engine, connection);
  struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.ptr = connection};
  if (sent == 0) event.events |= EPOLLOUT;
  if (sent < 0 || epoll_ctl(engine->epoll, EPOLL_CTL_ADD, connection->fd, &event) < 0) {
    give_up(engine, connection, failure_of(errno));
    return;
  }
  engine_set_phase(engine, connection, sent == 0 ? PHASE_CONNECTING : PHASE_WAITING);
}

/* The connection broke. If it was an old one and nothing of an answer had come, the server was
 * closing it as the request went out, which any client would answer by asking again. */
static void broken(struct engine* engine, struct connection* connection, enum load_failure why) {
  if (connection->phase == PHASE_KEPT || connection->phase == PHASE_ENDING) {
    close(connection->fd);
    connection->fd = -1;
    engine_on_closed(engine, connection);
    return;
  }
  if (!connection->reused || connection->response.started) {
    give_up(engine, connection, why);
    return;
  }
  close(connection->fd);
  ++engine->result.kept_closed;
  exchange_begin(engine, connection, connection->due);
}

void exchange_request(struct engine* engine, struct connection* connection, uint64_t due) {
  response_reset(&connection->response);
  connection->due = due;
  connection->deadline = engine_deadline(engine, due);
  connection->reused = true;
  engine_set_phase(engine, connection, PHASE_WAITING);
  if (send_request(engine, connection) != 1) broken(engine, connection, failure_of(errno));
}

static void complete(struct engine* engine, struct connection* connection, bool ended) {
  const struct response* response = &connection->response;
  uint64_t now = engine_now();
  engine_answered(engine, connection, now);
  if (engine->options->mode != LOAD_SHORT && !response->closes && !ended) {
    engine_set_phase(engine, connection, PHASE_KEPT);
    engine_on_kept(engine, connection, now);
    return;
  }
  engine_set_phase(engine, connection, PHASE_ENDING);
  if (ended) broken(engine, connection, LOAD_RESET);
}

/* Edge-triggered: what is not read now is not told of again, but for a later FIN. So a read that
 * filled less than the buffer is the last, and a FIN that is known of needs none to see it. */
static void read_answer(struct engine* engine, struct connection* connection, bool ended) {
  for (;;) {
    ssize_t got = recv(connection->fd, engine->buffer, sizeof engine->buffer, 0);
    if (got < 0) {
      if (errno != EAGAIN) broken(engine, connection, failure_of(errno));
      return;
    }
    if (got == 0) {
      if (response_end(&connection->response) == RESPONSE_COMPLETE) {
        complete(engine, connection, true);
        return;
      }
      broken(engine, connection, connection->response.started ? LOAD_BAD : LOAD_EMPTY);
      return;
    }
    switch (response_feed(&connection->response, engine->buffer, (size_t)got)) {
      case RESPONSE_COMPLETE:
        complete(engine, connection, ended);
        return;
      case RESPONSE_BAD:
        give_up(engine, connection, LOAD_BAD);
        return;
      case RESPONSE_MORE:
        break;
    }
    if ((size_t)got < sizeof engine->buffer && !ended) return;
  }
}

void exchange_event(struct engine* engine, struct connection* connection, uint32_t events) {
  bool ended = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
  if (connection->phase == PHASE_CONNECTING) {
    int sent = send_request(engine, connection);
    if (sent < 0) {
      give_up(engine, connection, failure_of(errno));
      return;
    }
    if (sent == 0) return;
    engine_set_phase(engine, connection, PHASE_WAITING);
  }
  if (connection->phase == PHASE_WAITING) {
    if (ended || (events & EPOLLIN) != 0) read_answer(engine, connection, ended);
  } else if (ended || connection->phase == PHASE_ENDING) {
    broken(engine, connection, LOAD_RESET);
  }
}

void exchange_time_out(struct engine* engine, struct connection* connection) {
  if (connection->phase == PHASE_ENDING) {
    broken(engine, connection, LOAD_TIMEOUT);
    return;
  }
  give_up(engine, connection, LOAD_TIMEOUT);
}
