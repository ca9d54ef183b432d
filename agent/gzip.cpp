#include "agent/gzip.h"

#include "agent/rename_new.h"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <zlib.h>

namespace clusterd::agent {
namespace {

constexpr std::size_t kAtOnce = 64 * 1024;
/// Logs are much alike: more effort gains little.
constexpr int kLevel = 5;
constexpr int kLargestWindowAsGzip = 15 + 16;
constexpr int kMemory = 8;

Result<void> write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t done = ::write(fd, bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return errno_error("write");
    bytes.remove_prefix(static_cast<std::size_t>(done));
  }
  return {};
}

}  // namespace

struct Gzip::Work {
  Work(int where, std::string what) : folder(where), name(std::move(what)) {}
  ~Work() {
    if (begun) ::deflateEnd(&stream);
    if (to) ::unlinkat(folder, part().c_str(), 0);
  }
  Work(const Work&) = delete;
  Work& operator=(const Work&) = delete;

  [[nodiscard]] std::string part() const { return name + ".gz.part"; }
  [[nodiscard]] Error failed(const Error& error) const {
    return {error.code, "compress the old log " + name + ": " + error.what};
  }
  [[nodiscard]] Result<void> open();
  [[nodiscard]] Result<void> deflate(std::string_view bytes, int flush);
  [[nodiscard]] Result<void> finish();

  int folder;
  std::string name;
  UniqueFd from;
  UniqueFd to;
  struct stat source{};
  z_stream stream{};
  bool begun = false;
};

Result<void> Gzip::Work::open() {
  from.reset(::openat(folder, name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!from || ::fstat(from.get(), &source) != 0) return errno_error("open it");
  // One that somebody left unfinished is in the way.
  ::unlinkat(folder, part().c_str(), 0);
  to.reset(::openat(folder, part().c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                    source.st_mode & 0666));
  if (!to) return errno_error("open " + part());
  begun = ::deflateInit2(&stream, kLevel, Z_DEFLATED, kLargestWindowAsGzip, kMemory,
                         Z_DEFAULT_STRATEGY) == Z_OK;
  if (!begun) return make_error("no memory");
  return {};
}

Result<void> Gzip::Work::deflate(std::string_view bytes, int flush) {
  std::array<unsigned char, kAtOnce> out{};
  stream.next_in = reinterpret_cast<const unsigned char*>(bytes.data());
  stream.avail_in = static_cast<uInt>(bytes.size());
  do {
    stream.next_out = out.data();
    stream.avail_out = static_cast<uInt>(out.size());
    (void)::deflate(&stream, flush);
    const std::size_t size = out.size() - stream.avail_out;
    auto written = write_all(to.get(), {reinterpret_cast<const char*>(out.data()), size});
    if (!written) return written.error();
  } while (stream.avail_out == 0);
  // Begun now, so that there is little left to wait for in the end.
  ::sync_file_range(to.get(), 0, 0, SYNC_FILE_RANGE_WRITE);
  return {};
}

/// The compressed one is on the disk before the other is gone.
Result<void> Gzip::Work::finish() {
  if (auto done = deflate({}, Z_FINISH); !done) return done.error();
  const timespec times[] = {source.st_atim, source.st_mtim};
  ::futimens(to.get(), times);
  // With its time, by which it is known as made of the other if this is as far as it comes.
  if (::fsync(to.get()) != 0) return errno_error("write " + part());
  if (!rename_new(folder, part(), name + ".gz")) return errno_error("rename " + part());
  to.reset();
  if (::unlinkat(folder, name.c_str(), 0) != 0) return errno_error("remove what it was made of");
  return {};
}

Gzip::Gzip(std::unique_ptr<Work> work) : work_(std::move(work)) {}
Gzip::Gzip(Gzip&&) noexcept = default;
Gzip& Gzip::operator=(Gzip&&) noexcept = default;
Gzip::~Gzip() = default;

Result<Gzip> Gzip::begin(int folder, const std::string& name) {
  Gzip gzip(std::make_unique<Work>(folder, name));
  if (auto opened = gzip.work_->open(); !opened) return gzip.work_->failed(opened.error());
  return gzip;
}

Result<bool> Gzip::step() {
  std::array<char, kAtOnce> bytes{};
  const ssize_t got = ::read(work_->from.get(), bytes.data(), bytes.size());
  if (got < 0) return work_->failed(errno_error("read it"));
  const auto done = got == 0
                        ? work_->finish()
                        : work_->deflate({bytes.data(), static_cast<std::size_t>(got)}, Z_NO_FLUSH);
  if (!done) return work_->failed(done.error());
  return got == 0;
}

const std::string& Gzip::name() const { return work_->name; }

}  // namespace clusterd::agent
