#include "tests/support/keep_alive.h"

#include "tests/support/http.h"

#include <chrono>
#include <optional>
#include <poll.h>
#include <vector>

namespace clusterd::test {
namespace {

constexpr auto kPatience = std::chrono::seconds(20);

bool has_ended(const Client& client) {
  pollfd ready{client.fd(), POLLIN, 0};
  return ::poll(&ready, 1, 0) == 1;  // nothing was asked, so it can only be the end
}

}  // namespace

std::string KeepAliveReport::text() const {
  return std::to_string(done) + " done, " + std::to_string(told) + " told to come back, " +
         std::to_string(ended) + " ended, " + std::to_string(repeated) + " repeated, " +
         std::to_string(lost) + " lost";
}

KeepAliveLoad::KeepAliveLoad(std::uint16_t port, unsigned clients)
    : thread_([this, port, clients] { run(port, clients); }) {}

KeepAliveLoad::~KeepAliveLoad() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
}

KeepAliveReport KeepAliveLoad::stop() {
  stopping_ = true;
  thread_.join();
  return report_;
}

struct KeepAliveLoad::Slot {
  std::optional<Client> client;
  bool used = false;  ///< it has had an answer
};

/// All ask, and then all are waited for: so many requests are under way at once.
void KeepAliveLoad::run(std::uint16_t port, unsigned clients) {
  std::vector<Slot> slots(clients);
  while (!stopping_) {
    for (Slot& slot : slots) ask(slot, port);
    for (Slot& slot : slots) hear(slot);
  }
}

void KeepAliveLoad::ask(Slot& slot, std::uint16_t port) {
  if (slot.client && has_ended(*slot.client)) {
    slot.client.reset();
    ++report_.ended;
  }
  if (!slot.client) {
    slot.client.emplace(port);
    slot.used = false;
  }
  if (!slot.client->refused()) slot.client->ask(false);
}

void KeepAliveLoad::hear(Slot& slot) {
  const Reply reply = slot.client->refused() ? Reply{Reply::Kind::refused, "", {}}
                                             : slot.client->read_one(kPatience);
  if (reply.ok()) {
    ++report_.done;
    ++done_;
    slot.used = true;
    if (!reply.closes) return;
    ++report_.told;
  } else if (slot.used && reply.kind == Reply::Kind::eof && reply.body.empty()) {
    ++report_.repeated;
  } else {
    ++report_.lost;
  }
  slot.client.reset();
}

}  // namespace clusterd::test
