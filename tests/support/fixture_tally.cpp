#include "tests/support/fixture_tally.h"

#include "common/environment.h"
#include "common/unique_fd.h"

#include <cstdlib>
#include <fcntl.h>
#include <stdexcept>
#include <sys/mman.h>
#include <unistd.h>

namespace clusterd::test {
namespace {

constexpr std::size_t kBytes = FixtureTally::kEntries * sizeof(FixtureTally::Entry);

/// Of this process; nothing where no test asked for it.
FixtureTally::Entry* own_entry() {
  static FixtureTally::Entry* const own = []() -> FixtureTally::Entry* {
    const char* path = std::getenv("FIXTURE_TALLY_FILE");
    const char* worker = std::getenv(kEnvWorkerId);
    if (path == nullptr || worker == nullptr) return nullptr;
    static FixtureTally tally(path);
    auto& entry = tally.entry(static_cast<std::uint32_t>(std::atoi(worker)));
    entry.pid = ::getpid();
    return &entry;
  }();
  return own;
}

}  // namespace

FixtureTally::FixtureTally(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd || ::ftruncate(fd.get(), kBytes) < 0) throw std::runtime_error("open " + path);
  void* at = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (at == MAP_FAILED) throw std::runtime_error("map " + path);
  entries_ = static_cast<Entry*>(at);
}

FixtureTally::~FixtureTally() { ::munmap(entries_, kBytes); }

std::uint32_t FixtureTally::held_by(pid_t pid) const {
  for (std::uint32_t at = 0; at < kEntries; ++at) {
    const Entry& entry = entries_[at];
    if (entry.pid == pid) return entry.taken - entry.finished;
  }
  return 0;
}

FixtureHold::FixtureHold() : own_(own_entry()) {
  if (own_ != nullptr) ++own_->taken;
}

FixtureHold::~FixtureHold() {
  if (own_ != nullptr) ++own_->finished;
}

}  // namespace clusterd::test
