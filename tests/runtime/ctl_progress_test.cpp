#include "common/unique_fd.h"
#include "master/ctl/progress.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <fcntl.h>
#include <pty.h>
#include <string>
#include <sys/ioctl.h>
#include <unistd.h>

namespace clusterd::ctl {
namespace {

/// A terminal that is `columns` wide, and what was written on it.
class Terminal {
 public:
  explicit Terminal(unsigned short columns) {
    int screen = -1;
    int line = -1;
    const winsize size{24, columns, 0, 0};
    REQUIRE(::openpty(&screen, &line, nullptr, nullptr, &size) == 0);
    screen_.reset(screen);
    line_.reset(line);
    REQUIRE(::setenv("TERM", "xterm", 1) == 0);
  }

  [[nodiscard]] int fd() const { return line_.get(); }
  [[nodiscard]] std::string shown() const {
    REQUIRE(::fcntl(screen_.get(), F_SETFL, O_NONBLOCK) == 0);
    char text[4096];
    const ssize_t size = ::read(screen_.get(), text, sizeof text);
    return size > 0 ? std::string(text, static_cast<std::size_t>(size)) : "";
  }

 private:
  UniqueFd screen_;
  UniqueFd line_;
};

}  // namespace

TEST_CASE("on a terminal progress is one line, and none at the end") {
  const Terminal terminal(40);
  {
    Progress progress(terminal.fd());
    progress.show("1 of 2 ready");
    CHECK(terminal.shown() == "\r1 of 2 ready\x1b[K");
    progress.show("2 of 2 ready");
    CHECK(terminal.shown() == "\r2 of 2 ready\x1b[K");
    progress.clear();
    CHECK(terminal.shown() == "\r\x1b[K");
    progress.clear();
    CHECK(terminal.shown().empty());
    progress.show("x");
    CHECK_FALSE(terminal.shown().empty());
  }
  CHECK(terminal.shown() == "\r\x1b[K");
}

TEST_CASE("progress stays on its line, and does not steer the terminal") {
  const Terminal terminal(8);
  Progress progress(terminal.fd());
  progress.show("\xc3\xbc 345678");
  CHECK(terminal.shown() == "\r\xc3\xbc 34567\x1b[K");
  progress.show("\x1b[2J");
  CHECK(terminal.shown() == "\r\\x1b[2J\x1b[K");
}

TEST_CASE("elsewhere each step of progress is a line") {
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const UniqueFd from(ends[0]);
  const UniqueFd to(ends[1]);
  Progress(to.get()).show("1 of 2 ready");
  char text[256];
  const ssize_t size = ::read(from.get(), text, sizeof text);
  REQUIRE(size > 0);
  CHECK(std::string(text, static_cast<std::size_t>(size)) == "clusterd: 1 of 2 ready\n");
}

}  // namespace clusterd::ctl
