#include "worker/src/tally.h"

#include <cerrno>
#include <new>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <system_error>

namespace clusterd::detail {
namespace {

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::system_category(), what);
}

void* map(int fd, int flags) {
  void* memory = ::mmap(nullptr, handoff::kPageSize, PROT_READ | PROT_WRITE, flags, fd, 0);
  if (memory == MAP_FAILED) fail("clusterd: map the shared page");
  return memory;
}

UniqueFd make_eventfd() {
  UniqueFd fd(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!fd) fail("clusterd: make an eventfd");
  return fd;
}

}  // namespace

Tally::Tally()
    : page(new(map(-1, MAP_PRIVATE | MAP_ANONYMOUS)) handoff::Page{}), changed(make_eventfd()) {}

Tally::Tally(int page_fd)
    : page(static_cast<handoff::Page*>(map(page_fd, MAP_SHARED))), changed(make_eventfd()) {}

Tally::~Tally() { ::munmap(page, handoff::kPageSize); }

void Tally::closed() {
  const std::uint32_t before = page->active.fetch_sub(1);
  const bool last = before == 1 && draining.load();
  if (last || before == max_connections) ::eventfd_write(changed.get(), 1);
  if (page->want_room.load() != 0 && page->want_room.exchange(0) != 0) {
    ::eventfd_write(wake_master.get(), 1);
  }
}

void Tally::notify_master() {
  if (page->want_wake.load() == handoff::wake::kNever) return;
  if (page->want_wake.exchange(handoff::wake::kNever) != handoff::wake::kNever) {
    ::eventfd_write(wake_master.get(), 1);
  }
}

}  // namespace clusterd::detail
