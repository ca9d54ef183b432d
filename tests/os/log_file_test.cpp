// The log's file in its folder, and the old ones beside it.
#include "agent/log_file.h"

#include "agent/gzip.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

#include <doctest/doctest.h>

#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <string>
#include <sys/resource.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

using namespace clusterd;
using namespace clusterd::agent;
using namespace clusterd::test;

namespace {

struct Pipe {
  Pipe() {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
    out.reset(ends[0]);
    in.reset(ends[1]);
  }
  void write(const std::string& text) const {
    REQUIRE(::write(in.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  }

  UniqueFd out;
  UniqueFd in;
};

template <typename T>
T have(Result<T> result) {
  if (!result) FAIL(result.error().message());
  return std::move(*result);
}

/// No file of this process may grow beyond it.
class LargestFile {
 public:
  explicit LargestFile(rlim_t bytes) {
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &before_) == 0);
    set(bytes);
    struct sigaction ignore{};
    ignore.sa_handler = SIG_IGN;
    REQUIRE(::sigaction(SIGXFSZ, &ignore, &action_) == 0);
  }
  ~LargestFile() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::sigaction(SIGXFSZ, &action_, nullptr);
  }
  LargestFile(const LargestFile&) = delete;
  LargestFile& operator=(const LargestFile&) = delete;
  void set(rlim_t bytes) const {
    const rlimit limit{bytes, before_.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &limit) == 0);
  }

 private:
  rlimit before_{};
  struct sigaction action_{};
};

/// Nothing can be opened.
class NoDescriptors {
 public:
  NoDescriptors() {
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before_) == 0);
    const rlimit none{0, before_.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  }
  ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;

 private:
  rlimit before_{};
};

std::string unpacked(const std::string& path) { return run({"gzip", "-dc", path}).out; }

}  // namespace

TEST_CASE("what is in the pipe goes to the end of the file") {
  const TempDir dir;
  dir.write("shop.log", "before\n");
  LogFile log = have(LogFile::open(dir.path("shop.log")));
  const Pipe pipe;
  CHECK(have(log.take(pipe.out.get(), 100)) == 0);
  pipe.write("one\ntwo\nthr");
  CHECK(have(log.take(pipe.out.get(), 4)) == 4);
  CHECK(log.is_whole());
  CHECK(have(log.take(pipe.out.get(), 100)) == 7);
  CHECK_FALSE(log.is_whole());
  CHECK(read_file(dir.path("shop.log")) == "before\none\ntwo\nthr");
  CHECK(log.size() == 18);
  dir.write("shop.log", "");  // as logrotate's copytruncate does
  CHECK(log.is_whole());
  pipe.write("ee\n");
  CHECK(have(log.take(pipe.out.get(), 100)) == 3);
  CHECK(read_file(dir.path("shop.log")) == "ee\n");
}

TEST_CASE("a log that is renamed is followed by a new one and never over another file") {
  const TempDir dir;
  LogFile log = have(LogFile::open(dir.path("shop.log")));
  struct stat made{};
  REQUIRE(::stat(dir.path("shop.log").c_str(), &made) == 0);
  CHECK((made.st_mode & 0137) == 0);  // what is logged is not everybody's to read
  const Pipe pipe;
  pipe.write("old\n");
  CHECK(have(log.take(pipe.out.get(), 100)) == 4);
  REQUIRE(log.rename_to("shop.log.2026-11-22"));
  pipe.write("new\n");
  CHECK(have(log.take(pipe.out.get(), 100)) == 4);
  CHECK(read_file(dir.path("shop.log.2026-11-22")) == "old\n");
  CHECK(read_file(dir.path("shop.log")) == "new\n");
  CHECK_FALSE(log.rename_to("shop.log.2026-11-22"));
  CHECK(read_file(dir.path("shop.log")) == "new\n");
  dir.write("shop.log.2026-11-20.gz", "12345");
  dir.write("other.log.2026-11-20.gz", "");
  std::filesystem::create_directory(dir.path("shop.log.2026-11-19"));
  const auto old = log.old();
  REQUIRE(old.size() == 2);
  CHECK(old[0].name == "shop.log.2026-11-20.gz");
  CHECK(old[0].size == 5);
  CHECK(old[1].name == "shop.log.2026-11-22");
  CHECK(log.remove("shop.log.2026-11-22"));
  CHECK(log.remove("shop.log.2026-11-22"));  // somebody else was quicker
  CHECK(log.is_at_its_path());
  std::filesystem::rename(dir.path("shop.log"), dir.path("elsewhere"));
  CHECK_FALSE(log.is_at_its_path());
}

TEST_CASE("a log that no new one can follow keeps its name") {
  const TempDir dir;
  LogFile log = have(LogFile::open(dir.path("shop.log")));
  const Pipe pipe;
  pipe.write("old\n");
  CHECK(have(log.take(pipe.out.get(), 100)) == 4);
  {
    const NoDescriptors none;
    const auto renamed = log.rename_to("shop.log.2026-11-22");
    REQUIRE_FALSE(renamed);
    CHECK(renamed.error().code == std::errc::too_many_files_open);
    CHECK_FALSE(log.named_alike());
  }
  CHECK_FALSE(std::filesystem::exists(dir.path("shop.log.2026-11-22")));
  CHECK(log.is_at_its_path());
  pipe.write("new\n");
  CHECK(have(log.take(pipe.out.get(), 100)) == 4);
  CHECK(read_file(dir.path("shop.log")) == "old\nnew\n");
}

TEST_CASE("the file that is written is no old one and what is no file has a name all the same") {
  const TempDir dir;
  LogFile log = have(LogFile::open(dir.path("shop.log")));
  std::filesystem::rename(dir.path("shop.log"), dir.path("shop.log.2026-11-22"));
  std::filesystem::create_directory(dir.path("shop.log.2026-11-21"));
  std::filesystem::create_symlink("nowhere", dir.path("shop.log.2026-11-20.gz"));
  CHECK(log.old().empty());
  const auto alike = have(log.named_alike());
  REQUIRE(alike.size() == 3);
  CHECK(next_name("shop.log", "2026-11-20", alike) == "shop.log.2026-11-20.1");
  CHECK(next_name("shop.log", "2026-11-21", alike) == "shop.log.2026-11-21.1");
  REQUIRE(log.reopen());
  REQUIRE(log.old().size() == 1);
  CHECK(log.old()[0].name == "shop.log.2026-11-22");
}

TEST_CASE("a log is a file and no link leads to it") {
  const TempDir dir;
  std::filesystem::create_symlink(dir.path("victim"), dir.path("link.log"));
  CHECK_FALSE(LogFile::open(dir.path("link.log")));
  CHECK_FALSE(std::filesystem::exists(dir.path("victim")));
  std::filesystem::create_directory(dir.path("real"));
  std::filesystem::create_directory_symlink(dir.path("real"), dir.path("folder"));
  CHECK_FALSE(LogFile::open(dir.path("folder/shop.log")));
  CHECK(LogFile::open(dir.path("real/shop.log")));
  REQUIRE(::mkfifo(dir.path("fifo").c_str(), 0600) == 0);
  CHECK_FALSE(LogFile::open(dir.path("fifo")));
  const auto none = LogFile::open("/nowhere/shop.log");
  REQUIRE_FALSE(none);
  CHECK(none.error().message() == "open the folder /nowhere/: No such file or directory");
}

TEST_CASE("a full disk leaves in the pipe what is not written") {
  const TempDir dir;
  LogFile log = have(LogFile::open(dir.path("shop.log")));
  const Pipe pipe;
  pipe.write(std::string(9'999, 'x') + "\n");
  {
    const LargestFile largest(6000);
    std::size_t moved = 0;
    Result<std::size_t> last = std::size_t{0};
    while ((last = log.take(pipe.out.get(), 20'000)) && *last > 0) moved += *last;
    CHECK(moved == 6000);
    REQUIRE_FALSE(last);
    CHECK(last.error().code == std::errc::file_too_large);
    largest.set(8000);
    CHECK(have(log.take(pipe.out.get(), 20'000)) == 2000);
  }
  CHECK(have(log.take(pipe.out.get(), 20'000)) == 2000);
  CHECK(read_file(dir.path("shop.log")) == std::string(9'999, 'x') + "\n");
}

TEST_CASE("an old log is compressed a step at a time and is there as one or the other") {
  const TempDir dir;
  std::string text;
  for (int line = 0; line < 20'000; ++line) text += "line " + std::to_string(line) + "\n";
  dir.write("shop.log.2026-11-22", text);
  REQUIRE(::chmod(dir.path("shop.log.2026-11-22").c_str(), 0600) == 0);
  struct stat plain{};
  REQUIRE(::stat(dir.path("shop.log.2026-11-22").c_str(), &plain) == 0);
  const UniqueFd folder(::open(dir.path().c_str(), O_PATH | O_DIRECTORY));
  SUBCASE("to the end") {
    Gzip gzip = have(Gzip::begin(folder.get(), "shop.log.2026-11-22"));
    int steps = 1;
    while (!have(gzip.step())) {
      ++steps;
      CHECK(std::filesystem::exists(dir.path("shop.log.2026-11-22")));
      CHECK_FALSE(std::filesystem::exists(dir.path("shop.log.2026-11-22.gz")));
    }
    CHECK(steps > 2);
    CHECK_FALSE(std::filesystem::exists(dir.path("shop.log.2026-11-22")));
    CHECK_FALSE(std::filesystem::exists(dir.path("shop.log.2026-11-22.gz.part")));
    CHECK(unpacked(dir.path("shop.log.2026-11-22.gz")) == text);
    CHECK(std::filesystem::file_size(dir.path("shop.log.2026-11-22.gz")) < text.size() / 3);
    struct stat made{};
    REQUIRE(::stat(dir.path("shop.log.2026-11-22.gz").c_str(), &made) == 0);
    CHECK((made.st_mode & 0777) == 0600);
    CHECK(made.st_mtim.tv_sec == plain.st_mtim.tv_sec);
    CHECK(made.st_mtim.tv_nsec == plain.st_mtim.tv_nsec);
  }
  SUBCASE("never over another file") {
    Gzip gzip = have(Gzip::begin(folder.get(), "shop.log.2026-11-22"));
    CHECK_FALSE(have(gzip.step()));
    dir.write("shop.log.2026-11-22.gz", "another's");
    Result<bool> done = false;
    while ((done = gzip.step()) && !*done) {
    }
    REQUIRE_FALSE(done);
    CHECK(done.error().code == std::errc::file_exists);
    CHECK(read_file(dir.path("shop.log.2026-11-22.gz")) == "another's");
    CHECK(read_file(dir.path("shop.log.2026-11-22")) == text);
  }
  SUBCASE("given up in the middle") {
    {
      Gzip gzip = have(Gzip::begin(folder.get(), "shop.log.2026-11-22"));
      CHECK_FALSE(have(gzip.step()));
      CHECK(std::filesystem::exists(dir.path("shop.log.2026-11-22.gz.part")));
    }
    CHECK_FALSE(std::filesystem::exists(dir.path("shop.log.2026-11-22.gz.part")));
    CHECK(read_file(dir.path("shop.log.2026-11-22")) == text);
  }
  SUBCASE("what is not there") { CHECK_FALSE(Gzip::begin(folder.get(), "shop.log.2026-11-23")); }
}
