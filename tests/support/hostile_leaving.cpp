#include "common/protocol.h"
#include "tests/support/hostile_hands.h"

#include <fcntl.h>
#include <sys/socket.h>

namespace clusterd::test {
namespace {

/// Until the master ends this worker. It takes nothing of what it is offered.
void wait_for_end(HostileHands& hands) {
  char header[4096];
  const int flags = ::fcntl(hands.fds[0].get(), F_GETFL);
  ::fcntl(hands.fds[0].get(), F_SETFL, flags & ~O_NONBLOCK);
  // The descriptors of a message that has no room for them are closed by the kernel.
  while (::recv(hands.fds[0].get(), header, sizeof header, 0) > 0) {
  }
}

void say_suicide(HostileHands& hands) { send_all(hands, encode(protocol::Suicide{"hostile"})); }

void suicide(HostileHands& hands) { say_suicide(hands); }

void garbage_after_suicide(HostileHands& hands) {
  say_suicide(hands);
  send_all(hands, "no JSON\n");
}

void lies_after_suicide(HostileHands& hands) {
  say_suicide(hands);
  fill_page(hands);
}

void flood_of_suicides(HostileHands& hands) {
  for (int i = 0; i < 10'000; ++i) say_suicide(hands);
}

void garbage_at_end(HostileHands& hands) {
  wait_for_end(hands);
  send_all(hands, "no JSON\n");
}

void lies_at_end(HostileHands& hands) {
  wait_for_end(hands);
  fill_page(hands);
}

void suicides_at_end(HostileHands& hands) {
  wait_for_end(hands);
  flood_of_suicides(hands);
}

}  // namespace

const HostileModes& hostile_leaving() {
  static const HostileModes all{
      {"suicide", suicide},
      {"garbage-after-suicide", garbage_after_suicide},
      {"lies-after-suicide", lies_after_suicide},
      {"flood-of-suicides", flood_of_suicides},
      {"garbage-at-end", garbage_at_end},
      {"lies-at-end", lies_at_end},
      {"suicides-at-end", suicides_at_end},
  };
  return all;
}

}  // namespace clusterd::test
