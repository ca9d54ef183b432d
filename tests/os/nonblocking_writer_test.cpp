#include "common/nonblocking_writer.h"

#include "master/os/self.h"
#include "tests/support/eventually.h"
#include "tests/support/temp_dir.h"

#include <doctest/doctest.h>

#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <future>
#include <poll.h>
#include <sstream>
#include <stdlib.h>
#include <string>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace clusterd {
namespace {

using namespace std::chrono_literals;
using test::eventually;

constexpr std::size_t kMostWaiting = 2000;
constexpr int kLines = 10'000;

struct Ends {
  UniqueFd in;
  UniqueFd out;
};

/// A pipe whose reader can read without waiting. What is written to it may block.
Ends make_pipe() {
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  REQUIRE(::fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0);
  ::fcntl(ends[1], F_SETPIPE_SZ, 4096);
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

Ends make_socket() {
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  REQUIRE(::fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0);
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

std::string line(int number) { return "line " + std::to_string(number) + "\n"; }

/// What is there to be read.
std::string read_some(int fd) {
  std::string text;
  char some[4096];
  for (;;) {
    const ssize_t got = ::read(fd, some, sizeof some);
    if (got <= 0) return text;
    text.append(some, static_cast<std::size_t>(got));
  }
}

/// Reads until the writer has nothing left.
std::string read_all(int fd, NonblockingWriter& writer) {
  std::string text;
  CHECK(eventually(
      [&] {
        const bool done = writer.flush();
        text += read_some(fd);
        return done;
      },
      10s));
  return text;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string one; std::getline(in, one);) lines.push_back(one + "\n");
  CHECK((text.empty() || text.ends_with('\n')));
  return lines;
}

/// Writes a lot that nobody reads, then reads it, and sees that nothing is lost untold.
void flood(const Ends& ends) {
  NonblockingWriter writer(ends.out.get(), kMostWaiting);
  for (int number = 0; number < kLines; ++number) writer.write(line(number));
  CHECK(writer.waiting());
  const auto dropped = static_cast<int>(writer.dropped());
  CHECK(dropped > 0);

  const auto lines = lines_of(read_all(ends.in.get(), writer));
  const int kept = kLines - dropped;
  REQUIRE(lines.size() == static_cast<std::size_t>(kept) + 1);
  for (int number = 0; number < kept; ++number) {
    REQUIRE(lines[static_cast<std::size_t>(number)] == line(number));
  }
  CHECK(lines.back() == "(" + std::to_string(dropped) + " log lines dropped)\n");

  writer.write(line(kLines));
  CHECK(read_some(ends.in.get()) == line(kLines));
  CHECK_FALSE(writer.waiting());
  CHECK(writer.dropped() == static_cast<std::uint64_t>(dropped));
}

/// A pipe that its writer cannot open anew: it is nobody's to open.
class AnothersPipe {
 public:
  AnothersPipe() : ends(make_pipe()) {
    REQUIRE(::fchmod(ends.out.get(), 0) == 0);
    if (::geteuid() == 0) REQUIRE(::seteuid(65534) == 0);
  }
  ~AnothersPipe() {
    if (::getuid() == 0) (void)!::seteuid(0);
  }
  AnothersPipe(const AnothersPipe&) = delete;
  AnothersPipe& operator=(const AnothersPipe&) = delete;

  Ends ends;
};

}  // namespace

TEST_CASE("lines go out at once while somebody reads") {
  const Ends ends = make_pipe();
  NonblockingWriter writer(ends.out.get());
  for (int number = 0; number < 100; ++number) {
    writer.write(line(number));
    CHECK_FALSE(writer.waiting());
    CHECK(read_some(ends.in.get()) == line(number));
  }
  CHECK(writer.dropped() == 0);
  CHECK(writer.flush());
}

TEST_CASE("a reader that does not read stops nobody, and is told later what it missed") {
  SUBCASE("a pipe") { flood(make_pipe()); }
  SUBCASE("a socket") { flood(make_socket()); }
}

TEST_CASE("a line that went out in part is whole in the end") {
  const Ends ends = make_pipe();
  NonblockingWriter writer(ends.out.get());
  const std::string longer(10'000, 'x');
  writer.write(longer + "\n");
  CHECK(writer.waiting());
  writer.write("next\n");
  CHECK(read_all(ends.in.get(), writer) == longer + "\nnext\n");
  CHECK(writer.dropped() == 0);
}

TEST_CASE("the flags of the file that the shell shares are left alone") {
  for (const bool socket : {false, true}) {
    CAPTURE(socket);
    const Ends ends = socket ? make_socket() : make_pipe();
    const int before = ::fcntl(ends.out.get(), F_GETFL);
    NonblockingWriter writer(ends.out.get(), kMostWaiting);
    for (int number = 0; number < kLines; ++number) writer.write(line(number));
    CHECK(::fcntl(ends.out.get(), F_GETFL) == before);
    CHECK((before & O_NONBLOCK) == 0);
  }
}

TEST_CASE("a reader that is gone swallows everything") {
  struct sigaction before{};
  ::sigaction(SIGPIPE, nullptr, &before);
  os::ignore_sigpipe();
  Ends ends;
  SUBCASE("of a pipe") { ends = make_pipe(); }
  SUBCASE("of a socket") { ends = make_socket(); }
  {
    NonblockingWriter writer(ends.out.get(), kMostWaiting);
    for (int number = 0; number < kLines; ++number) writer.write(line(number));
    REQUIRE(writer.waiting());
    ends.in.reset();
    CHECK(writer.flush());
    writer.write(line(0));
    CHECK_FALSE(writer.waiting());
  }
  NonblockingWriter late(ends.out.get(), kMostWaiting);  // it was gone from the beginning
  for (int number = 0; number < kLines; ++number) late.write(line(number));
  CHECK_FALSE(late.waiting());
  CHECK(late.dropped() == kLines);
  ::sigaction(SIGPIPE, &before, nullptr);
}

TEST_CASE("what does not fit into a file is counted, and told when there is room again") {
  const test::TempDir dir;
  const UniqueFd file(::open(dir.path("file").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600));
  NonblockingWriter writer(file.get());
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  struct sigaction ignore{};
  struct sigaction handler{};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGXFSZ, &ignore, &handler);
  const rlimit ten_bytes{10, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &ten_bytes) == 0);
  writer.write("1234567\n");
  writer.write("half a line\n");
  writer.write("lost\nlost\n");
  const bool waits = writer.waiting();
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
  ::sigaction(SIGXFSZ, &handler, nullptr);
  CHECK_FALSE(waits);  // no timer has to run for it
  CHECK(writer.dropped() == 3);
  writer.write("there is room\n");
  writer.write("and more\n");
  CHECK(test::read_file(dir.path("file")) ==
        "1234567\nha\n(3 log lines dropped)\nthere is room\nand more\n");
  CHECK(writer.dropped() == 3);
}

TEST_CASE("a file is appended to, after what others wrote to it") {
  const test::TempDir dir;
  const std::string path = dir.write("log", "before\n");
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
  NonblockingWriter writer(fd.get());
  writer.write("ours\n");
  REQUIRE(::write(fd.get(), "others\n", 7) == 7);
  writer.write("ours again\n");
  CHECK(test::read_file(path) == "before\nours\nothers\nours again\n");
}

TEST_CASE("a file that is not only appended to has one offset for us and who shares it") {
  const test::TempDir dir;
  const std::string path = dir.write("log", "");
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  NonblockingWriter writer(fd.get());
  writer.write("ours\n");
  REQUIRE(::write(fd.get(), "others\n", 7) == 7);
  writer.write("ours again\n");
  CHECK(test::read_file(path) == "ours\nothers\nours again\n");
}

TEST_CASE("of many lines at once those that fit are kept, and the others dropped and counted") {
  const Ends ends = make_pipe();
  NonblockingWriter writer(ends.out.get(), kMostWaiting);
  std::string many;
  for (int number = 0; number < kLines; ++number) many += line(number);
  writer.write(many);
  const auto dropped = static_cast<int>(writer.dropped());
  REQUIRE(dropped > 0);
  const auto lines = lines_of(read_all(ends.in.get(), writer));
  REQUIRE(lines.size() == static_cast<std::size_t>(kLines - dropped) + 1);
  for (int number = 0; number < kLines - dropped; ++number) {
    REQUIRE(lines[static_cast<std::size_t>(number)] == line(number));
  }
  CHECK(lines.back() == "(" + std::to_string(dropped) + " log lines dropped)\n");
}

TEST_CASE("others' lines leave room for our own") {
  const Ends ends = make_pipe();
  NonblockingWriter writer(ends.out.get(), kMostWaiting, 500);
  for (int number = 0; number < kLines; ++number) writer.pass(line(number));
  const std::uint64_t dropped = writer.dropped();
  CHECK(dropped > 0);
  for (int number = 0; number < 20; ++number) writer.write("our own line " + line(number));
  CHECK(writer.dropped() == dropped);
  const std::string text = read_all(ends.in.get(), writer);
  CHECK(text.find("our own line line 0\n") != std::string::npos);
  CHECK(text.find("our own line line 19\n(" + std::to_string(dropped) + " log lines dropped)\n") !=
        std::string::npos);
}

TEST_CASE("a reader that is always behind is told where lines are missing, and how many") {
  const Ends ends = make_pipe();
  NonblockingWriter writer(ends.out.get(), kMostWaiting);
  std::string text;
  char some[100];
  for (int number = 0; number < kLines; ++number) {
    writer.pass(line(number));
    if (number % 20 != 0) continue;
    const ssize_t got = ::read(ends.in.get(), some, sizeof some);
    if (got > 0) text.append(some, static_cast<std::size_t>(got));
  }
  text += read_all(ends.in.get(), writer);
  int next = 0;
  int told = 0;
  for (const std::string& one : lines_of(text)) {
    if (one == line(next)) {
      ++next;
      continue;
    }
    REQUIRE(one.starts_with("("));
    next += std::stoi(one.substr(1));
    ++told;
  }
  CHECK(next == kLines);
  CHECK(told > 2);
}

TEST_CASE("a terminal that nobody reads stops nobody") {
  const UniqueFd screen(::posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
  if (!screen || ::grantpt(screen.get()) < 0 || ::unlockpt(screen.get()) < 0) {
    MESSAGE("this machine gives no terminals");
    return;
  }
  const UniqueFd terminal(::open(::ptsname(screen.get()), O_RDWR | O_NOCTTY | O_CLOEXEC));
  REQUIRE(terminal.get() >= 0);
  NonblockingWriter writer(terminal.get(), kMostWaiting);
  for (int number = 0; number < kLines; ++number) writer.write(line(number));
  CHECK(writer.waiting());
  CHECK(writer.dropped() > 0);
  std::string seen = read_all(screen.get(), writer);
  CHECK(eventually(
      [&] {
        seen += read_some(screen.get());
        return seen.ends_with(" log lines dropped)\r\n");
      },
      10s));
  CHECK(seen.starts_with("line 0\r\nline 1\r\n"));
}

TEST_CASE("a pipe that cannot be opened anew stops nobody either") {
  const AnothersPipe pipe;
  NonblockingWriter writer(pipe.ends.out.get(), kMostWaiting);
  REQUIRE(writer.fd() == pipe.ends.out.get());
  // On a thread of its own, so that a write that blocks fails the test and does not hang it.
  const std::string longer = std::string(100'000, 'x') + "\n";
  auto written = std::async(std::launch::async, [&] {
    for (int number = 0; number < kLines; ++number) writer.write(line(number));
    return true;
  });
  SUBCASE("many lines") {}
  SUBCASE("a line that is longer than the pipe") {
    REQUIRE(written.get());
    read_all(pipe.ends.in.get(), writer);
    written = std::async(std::launch::async, [&] {
      writer.write(longer);
      return true;
    });
  }
  const auto done = [&] { return written.wait_for(0s) == std::future_status::ready; };
  const bool in_time = eventually(done, 10s);
  CHECK(in_time);
  CHECK(eventually(
      [&] {
        if (!in_time) read_some(pipe.ends.in.get());  // lets it go
        return done();
      },
      10s));
}

}  // namespace clusterd
