/* Gives back what a client sends, in strict C99. */
#define _POSIX_C_SOURCE 200809L

#include <clusterd/worker.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

static void on_connection(void* user, clusterd_connection* connection) {
  struct pollfd client = {0};
  char text[64];
  ssize_t length = 0;
  client.fd = clusterd_connection_fd(connection);
  client.events = POLLIN;
  if (poll(&client, 1, 5000) == 1) length = read(client.fd, text, sizeof text);
  if (length <= 0 || write(client.fd, text, (size_t)length) != length) perror("worker");
  clusterd_worker_count_request(user);
  clusterd_connection_close(connection);
}

int main(void) {
  clusterd_worker* worker = clusterd_worker_new();
  int status = 1;
  if (worker == NULL || clusterd_worker_api() < CLUSTERD_WORKER_API ||
      clusterd_worker_listen(worker, "", "127.0.0.1:0", on_connection, worker) < 0 ||
      clusterd_worker_ready(worker) < 0) {
    fprintf(stderr, "worker: %s\n", clusterd_last_error());
  } else {
    status = clusterd_worker_run(worker);
  }
  clusterd_worker_free(worker);
  return status;
}
