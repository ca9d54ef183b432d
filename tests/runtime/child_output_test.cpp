#include "master/runtime/child_output.h"

#include "master/os/child_process.h"
#include "tests/support/eventually.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

namespace clusterd::runtime {
namespace {

using namespace std::chrono_literals;
using test::eventually;
using Parts = std::vector<std::string>;

/// A shell script as a child, and what came of its output.
struct Child {
  explicit Child(boost::asio::io_context& loop, const std::string& script, bool capture = true)
      : io(loop) {
    os::SpawnSpec spec{"/bin/sh", {"sh", "-c", script}, {"PATH=/usr/bin:/bin"}, "/", -1, {64, 64}};
    auto opened = ChildOutput::open(io, spec, capture);
    REQUIRE(opened.has_value());
    auto spawned = os::spawn(spec);
    REQUIRE(spawned.has_value());
    output = std::move(*opened);
    output.start([this](log::Stream stream, std::string_view lines) {
      (stream == log::Stream::out ? out : error).emplace_back(lines);
    });
    process.emplace(std::move(*spawned));
  }

  /// Runs the loop until the child is gone; gives its last words.
  std::string end() {
    REQUIRE(eventually([&] { return io.poll(), process->reap().has_value(); }, 30s));
    return output.finish();
  }

  boost::asio::io_context& io;
  Parts out;
  Parts error;
  ChildOutput output;
  std::optional<os::ChildProcess> process;
};

std::string joined(const Parts& parts) {
  std::string all;
  for (const std::string& part : parts) all += part;
  return all;
}

}  // namespace

TEST_CASE("what a child prints comes out where it was printed, and its last words are kept") {
  boost::asio::io_context io;
  Child child(io, "echo one; echo two >&2; echo three; echo four >&2; exit 1");
  CHECK(child.end() == "two\nfour");
  CHECK(joined(child.out) == "one\nthree\n");
  CHECK(joined(child.error) == "two\nfour\n");
}

TEST_CASE("output is there while the child lives, in whole lines") {
  boost::asio::io_context io;
  Child child(io, "printf 'one\\ntw'; read line <&2; printf 'o\\nthr'; sleep 1000");
  REQUIRE(eventually([&] { return io.poll(), joined(child.out) == "one\ntwo\n"; }, 10s));
  child.process->kill();
  CHECK(child.end().empty());
  CHECK(joined(child.out) == "one\ntwo\nthr\n");  // its end is the end of its last line
  for (const std::string& part : child.out) CHECK(part.ends_with('\n'));
}

TEST_CASE("the lines of two children are never mixed") {
  boost::asio::io_context io;
  const std::string script =
      "i=0; while [ $i -lt 300 ]; do printf 'NAME'; printf ' %s ' $i; printf 'NAME\\n'; "
      "i=$((i+1)); done";
  const auto named = [&](const std::string& name) {
    std::string text = script;
    for (std::size_t at = 0; (at = text.find("NAME")) != std::string::npos;)
      text.replace(at, 4, name);
    return text;
  };
  Child one(io, named("one"));
  Child two(io, named("two"));
  one.end();
  two.end();
  for (const Child* child : {&one, &two}) {
    const std::string name = child == &one ? "one" : "two";
    std::string wanted;
    for (int i = 0; i < 300; ++i) wanted += name + " " + std::to_string(i) + " " + name + "\n";
    CHECK(joined(child->out) == wanted);
    for (const std::string& part : child->out) CHECK(part.ends_with(name + "\n"));
  }
}

TEST_CASE("a line that has no end is held for a while, and then given on with one") {
  boost::asio::io_context io;
  SUBCASE("no longer than a line may be") {
    Child child(io, "head -c 8000 /dev/zero | tr '\\0' x; sleep 1000");
    (void)eventually([&] { return io.poll(), !child.out.empty(); }, 100ms);
    CHECK(child.out.empty());
    child.process->kill();
    child.end();
    CHECK(child.out == Parts{std::string(8000, 'x') + "\n"});
  }
  SUBCASE("longer") {
    Child child(io, "head -c 9000 /dev/zero | tr '\\0' x; sleep 1000");
    REQUIRE(eventually([&] { return io.poll(), !child.out.empty(); }, 10s));
    CHECK(child.out == Parts{std::string(9000, 'x') + "\n"});
  }
  SUBCASE("without end") {
    Child child(io, "head -c 5000000 /dev/zero | tr '\\0' x");
    child.end();
    std::string all = joined(child.out);
    const auto added = static_cast<std::size_t>(std::count(all.begin(), all.end(), '\n'));
    CHECK(all.size() == 5'000'000 + added);
    CHECK(added == child.out.size());
    CHECK(added >= 5'000'000 / (128 * 1024));  // never was more than that held
  }
}

TEST_CASE("a child that prints without end leaves the loop to others") {
  boost::asio::io_context io;
  Child noisy(io, "exec yes 'some noise'");
  REQUIRE(eventually([&] { return io.poll_one(), noisy.out.size() > 100; }, 10s));
  Child quiet(io, "echo hello; exec sleep 1000");
  REQUIRE(eventually([&] { return io.poll_one(), !quiet.out.empty(); }, 10s));
  CHECK(joined(quiet.out) == "hello\n");
  // One turn of the loop is one piece.
  const std::size_t before = noisy.out.size();
  io.poll_one();
  CHECK(noisy.out.size() <= before + 1);
  noisy.process->kill();
  quiet.process->kill();
  noisy.end();
}

TEST_CASE("when a child is gone its output ends, though somebody else holds the pipe") {
  const test::TempDir dir;
  const std::string still_there = dir.path("still-there");
  const std::string refused = dir.path("refused");
  boost::asio::io_context io;
  // It leaves the process group, so that it lives on, and prints without end.
  Child child(io, "setsid sh -c 'trap \"\" PIPE; while echo again; do echo >" + still_there +
                      "; done; echo >" + refused + "' 2>&1 & while [ ! -e " + still_there +
                      " ]; do :; done; echo last >&2");
  CHECK(child.end() == "last");
  const std::size_t parts = child.out.size();
  CHECK(eventually([&] { return io.poll(), !test::read_file(refused).empty(); }, 10s));
  CHECK(child.out.size() == parts);
}

TEST_CASE("to print when nobody reads any more is an error, and no death") {
  boost::asio::io_context io;
  const test::TempDir dir;
  Child child(io, "until [ -e " + dir.path("go") + " ]; do :; done; echo late || exit 7");
  CHECK(child.output.finish().empty());
  dir.write("go", "");
  std::optional<os::ProcessEnd> end;
  REQUIRE(eventually([&] { return (end = child.process->reap()).has_value(); }, 10s));
  CHECK_FALSE(end->by_signal);
  CHECK(end->value == 7);
}

TEST_CASE("without capture a child prints where the master does") {
  boost::asio::io_context io;
  const std::size_t before = test::count_fds(::getpid());
  Child child(io,
              ": >&1; : >&2; [ /proc/$$/fd/1 -ef /proc/" + std::to_string(::getpid()) +
                  "/fd/1 ] || echo no >&2",
              false);
  CHECK(test::count_fds(::getpid()) <= before + 3);  // of the process
  CHECK(child.end().empty());
}

TEST_CASE("a hundred children leave no descriptor") {
  boost::asio::io_context io;
  Child first(io, "echo");  // with it come the loop's own
  first.end();
  const std::size_t before = test::count_fds(::getpid());
  for (int life = 0; life < 100; ++life) {
    Child child(io, "echo out; echo error >&2");
    if (life % 2 == 0) CHECK(child.end() == "error");
  }
  io.restart();
  io.poll();
  CHECK(test::count_fds(::getpid()) == before);
}

}  // namespace clusterd::runtime
