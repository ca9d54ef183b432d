#include "master/os/shared_page.h"

#include <doctest/doctest.h>

#include <cerrno>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace clusterd::os {
namespace {

SharedPage make_page() {
  auto page = SharedPage::create();
  REQUIRE(page.has_value());
  return std::move(*page);
}

/// The page as the worker has it.
class Mapped {
 public:
  explicit Mapped(int fd)
      : memory_(::mmap(nullptr, handoff::kPageSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)) {
    REQUIRE(memory_ != MAP_FAILED);
  }
  ~Mapped() { ::munmap(memory_, handoff::kPageSize); }
  Mapped(const Mapped&) = delete;
  Mapped& operator=(const Mapped&) = delete;

  handoff::Page* operator->() const { return static_cast<handoff::Page*>(memory_); }

 private:
  void* memory_;
};

off_t size_of(int fd) {
  struct stat status{};
  REQUIRE(::fstat(fd, &status) == 0);
  return status.st_size;
}

}  // namespace

TEST_CASE("a new page is all zeros, and is not inherited") {
  const SharedPage page = make_page();
  CHECK(page->window.load() == 0);
  CHECK(page->want_wake.load() == 0);
  CHECK(page->dropped.load() == 0);
  CHECK(page->active.load() == 0);
  CHECK(page->requests.load() == 0);
  for (const auto& count : page->accepted) CHECK(count.load() == 0);
  CHECK(page->turns.load() == 0);
  CHECK((::fcntl(page.fd(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("whoever has the page's descriptor can neither resize it nor change its seals") {
  const SharedPage page = make_page();
  const UniqueFd theirs(::dup(page.fd()));
  const auto refused = [](int result) { return result < 0 && errno == EPERM; };
  CHECK(refused(::ftruncate(theirs.get(), 0)));
  CHECK(refused(::ftruncate(theirs.get(), handoff::kPageSize / 2)));
  CHECK(refused(::ftruncate(theirs.get(), 2 * handoff::kPageSize)));
  CHECK(refused(::fallocate(theirs.get(), 0, handoff::kPageSize, 1)));
  CHECK(refused(::fcntl(theirs.get(), F_ADD_SEALS, F_SEAL_WRITE)));
  CHECK(refused(::fcntl(theirs.get(), F_ADD_SEALS, F_SEAL_FUTURE_WRITE)));
  CHECK(::pwrite(theirs.get(), "x", 1, handoff::kPageSize) <= 0);
  CHECK(size_of(theirs.get()) == handoff::kPageSize);
}

TEST_CASE("opening the page anew lifts no seal") {
  const SharedPage page = make_page();
  const std::string path = "/proc/self/fd/" + std::to_string(page.fd());
  const UniqueFd again(::open(path.c_str(), O_RDWR | O_TRUNC | O_CLOEXEC));
  if (again) CHECK(::ftruncate(again.get(), 0) < 0);
  CHECK(size_of(page.fd()) == handoff::kPageSize);
  page->window.store(7);  // would be a SIGBUS in a page that was cut off
  CHECK(page->window.load() == 7);
}

TEST_CASE("a hole that the worker punches reads as zeros and harms nobody") {
  const SharedPage page = make_page();
  page->window.store(7);
  REQUIRE(::fallocate(page.fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                      handoff::kPageSize) == 0);
  CHECK(page->window.load() == 0);
  page->window.store(8);
  CHECK(page->window.load() == 8);
}

TEST_CASE("what one side writes the other reads, and the master needs no descriptor for it") {
  SharedPage page = make_page();
  const Mapped theirs(page.fd());
  page.close_fd();
  CHECK(page.fd() == -1);
  page->window.store(handoff::Window{5, 3}.pack());
  CHECK(theirs->window.load() == handoff::Window{5, 3}.pack());
  theirs->dropped.store(9);
  theirs->accepted[handoff::kMaxListeners - 1].store(11);
  CHECK(page->dropped.load() == 9);
  CHECK(page->accepted[handoff::kMaxListeners - 1].load() == 11);
}

TEST_CASE("a page that moved is still mapped, and two pages share nothing") {
  SharedPage first = make_page();
  first->active.store(1);
  const SharedPage moved = std::move(first);
  const SharedPage second = make_page();
  second->active.store(2);
  CHECK(moved->active.load() == 1);
  CHECK(second->active.load() == 2);
}

}  // namespace clusterd::os
