#include "master/os/shared_page.h"

#include <fcntl.h>
#include <linux/memfd.h>
#include <new>
#include <sys/mman.h>
#include <unistd.h>

namespace clusterd::os {
namespace {

#ifndef MFD_NOEXEC_SEAL
constexpr unsigned kNoExecSeal = 0x0008U;  // Linux 6.3
#else
constexpr unsigned kNoExecSeal = MFD_NOEXEC_SEAL;
#endif

int make_memfd() {
  constexpr unsigned kFlags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  const int fd = ::memfd_create("clusterd-worker", kFlags | kNoExecSeal);
  return fd >= 0 ? fd : ::memfd_create("clusterd-worker", kFlags);
}

}  // namespace

Result<SharedPage> SharedPage::create() {
  UniqueFd fd(make_memfd());
  if (!fd) return errno_error("make a shared page");
  if (::ftruncate(fd.get(), handoff::kPageSize) < 0) return errno_error("size a shared page");
  if (::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
    return errno_error("seal a shared page");
  }
  void* memory =
      ::mmap(nullptr, handoff::kPageSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (memory == MAP_FAILED) return errno_error("map a shared page");
  return SharedPage(new (memory) handoff::Page{}, std::move(fd));
}

SharedPage::~SharedPage() {
  if (memory_ != nullptr) ::munmap(memory_, handoff::kPageSize);
}

}  // namespace clusterd::os
