#include "master/os/child_process.h"
#include "master/os/spawn.h"
#include "tests/support/eventually.h"

#include <doctest/doctest.h>

#include <chrono>
#include <fcntl.h>
#include <initializer_list>
#include <string>
#include <sys/resource.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace clusterd::os {
namespace {

using namespace std::chrono_literals;
using test::eventually;

struct Pipe {
  Pipe() {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    read.reset(ends[0]);
    write.reset(ends[1]);
  }
  UniqueFd read;
  UniqueFd write;
};

/// What a shell that runs `script` prints. `spec` says what else it has.
std::string printed(SpawnSpec spec, const std::string& script) {
  Pipe output;
  spec.program = "/bin/sh";
  spec.argv = {"sh", "-c", script};
  spec.env.emplace_back("PATH=/usr/bin:/bin");
  spec.directory = "/";
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &spec.open_files) == 0);
  spec.output = output.write.get();
  auto spawned = spawn(spec);
  REQUIRE(spawned.has_value());
  const std::string pid = std::to_string(spawned->pid);
  ChildProcess child(std::move(*spawned));
  output.write.reset();
  std::string text;
  char piece[256];
  for (ssize_t got = 0; (got = ::read(output.read.get(), piece, sizeof piece)) > 0;) {
    text.append(piece, static_cast<std::size_t>(got));
  }
  REQUIRE(eventually([&] { return child.reap().has_value(); }, 10s));
  for (std::size_t at = 0; (at = text.find(pid)) != std::string::npos;) {
    text.replace(at, pid.size(), "PID");
  }
  return text;
}

/// What /proc calls this descriptor: "pipe:[4711]".
std::string name_of(int fd) {
  char name[64];
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t size = ::readlink(link.c_str(), name, sizeof name);
  REQUIRE(size > 0);
  return {name, static_cast<std::size_t>(size)};
}

std::string list_of(std::initializer_list<int> fds) {
  std::string list;
  for (const int fd : fds) list += name_of(fd) + "\n";
  return list;
}

constexpr const char* kFrom3 = "for fd in 3 4 5 6; do readlink /proc/$$/fd/$fd; done";

}  // namespace

TEST_CASE("inherited descriptors stand from 3 on, in their order, and nothing after them") {
  const Pipe a;
  const Pipe b;
  SpawnSpec spec;
  spec.inherited = {b.read.get(), a.read.get(), b.read.get()};
  CHECK(printed(spec, kFrom3) == list_of({b.read.get(), a.read.get(), b.read.get()}));
}

TEST_CASE("inherited descriptors come after the channel, and one can be stdin as well") {
  const Pipe a;
  const Pipe b;
  SpawnSpec spec;
  spec.channel = a.read.get();
  spec.inherited = {b.read.get()};
  spec.input = b.read.get();
  CHECK(printed(spec, std::string("readlink /proc/$$/fd/0; ") + kFrom3) ==
        list_of({b.read.get(), a.read.get(), b.read.get()}));
}

TEST_CASE("descriptors that stand at each other's numbers all arrive") {
  // Copies whose numbers are as low as they can be had.
  const Pipe a;
  const Pipe b;
  std::vector<UniqueFd> low;
  for (const int fd : {a.read.get(), b.read.get(), a.write.get(), b.write.get()}) {
    low.emplace_back(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
  }
  SpawnSpec spec;
  spec.inherited = {low[3].get(), low[2].get(), low[1].get(), low[0].get()};
  CHECK(printed(spec, kFrom3) ==
        list_of({b.write.get(), a.write.get(), b.read.get(), a.read.get()}));
}

TEST_CASE("a child finds its own number in a variable") {
  SpawnSpec spec;
  spec.env = {"BEFORE=1", "AFTER=2"};
  spec.pid_variable = "LISTEN_PID";
  CHECK(printed(spec, "echo \"<$LISTEN_PID> $BEFORE $AFTER $$\"") == "<PID> 1 2 PID\n");
  CHECK(printed({}, "echo \"<$LISTEN_PID>\"") == "<>\n");
}

}  // namespace clusterd::os
