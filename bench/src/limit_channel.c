#include "bench/src/limit_channel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

union control {
  struct cmsghdr header;
  char bytes[CMSG_SPACE(LIMIT_BATCH * sizeof(int))];
};

bool limit_channel_send(int channel, const struct limit_batch* batch) {
  union control control;
  char byte = 0;
  struct iovec data = {.iov_base = &byte, .iov_len = 1};
  size_t size = batch->count * sizeof(int);
  struct msghdr message = {.msg_iov = &data,
                           .msg_iovlen = 1,
                           .msg_control = control.bytes,
                           .msg_controllen = CMSG_SPACE(size)};
  control.header.cmsg_level = SOL_SOCKET;
  control.header.cmsg_type = SCM_RIGHTS;
  control.header.cmsg_len = CMSG_LEN(size);
  memcpy(CMSG_DATA(&control.header), batch->fds, size);
  return sendmsg(channel, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == 1;
}

bool limit_channel_receive(int channel, struct limit_batch* batch) {
  union control control;
  char byte;
  struct iovec data = {.iov_base = &byte, .iov_len = 1};
  struct msghdr message = {.msg_iov = &data,
                           .msg_iovlen = 1,
                           .msg_control = control.bytes,
                           .msg_controllen = sizeof control.bytes};
  batch->count = 0;
  ssize_t got = recvmsg(channel, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  if (got == 0) return false;
  const struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header == NULL || header->cmsg_type != SCM_RIGHTS) return true;
  size_t size = header->cmsg_len - CMSG_LEN(0);
  memcpy(batch->fds, CMSG_DATA(header), size);
  batch->count = size / sizeof(int);
  return true;
}
