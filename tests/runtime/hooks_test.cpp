#include "master/runtime/hooks.h"

#include "tests/support/eventually.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fcntl.h>
#include <optional>
#include <string>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace clusterd::runtime {
namespace {

using namespace std::chrono_literals;
using test::alive;
using test::eventually;
using test::read_file;

/// Hooks whose programs are shell scripts in a folder of their own, which is where they run.
struct Scripts {
  explicit Scripts(const Hooks::Limits& chosen = {}) : limits(chosen) {
    settings.name = "shop";
    settings.directory = dir.path();
  }

  void add(const std::string& event, const std::string& script) {
    settings.hooks[event] = {"/bin/sh", "-c", script};
  }

  Hooks& hooks() {
    if (!made) {
      rlimit files{};
      ::getrlimit(RLIMIT_NOFILE, &files);
      made.emplace(io, settings, files, limits);
    }
    return *made;
  }

  void turn() {
    io.restart();
    io.poll();
  }

  template <typename Fact>
  bool soon(Fact&& fact, std::chrono::milliseconds deadline = 20s) {
    return eventually([&] { return turn(), fact(); }, deadline);
  }

  /// True when all hooks have ended; calls that for the master's end.
  bool end() {
    bool ended = false;
    hooks().finish([&] { ended = true; });
    return soon([&] { return ended; });
  }

  [[nodiscard]] std::string file(const std::string& name) const {
    return read_file(dir.path(name));
  }

  /// How many lines a file has.
  [[nodiscard]] std::ptrdiff_t lines(const std::string& name) const {
    const std::string text = file(name);
    return std::count(text.begin(), text.end(), '\n');
  }

  test::TempDir dir;
  Hooks::Limits limits;
  config::Settings settings;
  boost::asio::io_context io;
  std::optional<Hooks> made;
};

}  // namespace

TEST_CASE("a hook reads its event from stdin, and finds itself in app.conf's folder") {
  Scripts scripts;
  ::setenv("CLUSTERD_SLOT", "7", 1);
  scripts.add("exit",
              "cat > event; pwd > folder; echo $CLUSTERD_EVENT $CLUSTERD_NAME $CLUSTERD_SLOT > env;"
              "ls /proc/self/fd | wc -l > fds; test -n \"$PATH\" && echo yes > path");
  scripts.hooks().run("exit", R"({"event":"exit","seq":1})");
  REQUIRE(scripts.end());
  ::unsetenv("CLUSTERD_SLOT");
  CHECK(scripts.file("event") == "{\"event\":\"exit\",\"seq\":1}\n");
  CHECK(scripts.file("folder") == scripts.dir.path() + "\n");
  CHECK(scripts.file("env") == "exit shop\n");
  CHECK(scripts.file("fds") == "4\n");  // three, and the folder that ls reads
  CHECK(scripts.file("path") == "yes\n");
}

TEST_CASE("a hook's arguments are its own: no shell looks at them") {
  Scripts scripts;
  scripts.settings.hooks["exit"] = {"/usr/bin/touch", "$HOME; exit 1 #"};
  scripts.hooks().run("exit", "{}");
  REQUIRE(scripts.end());
  CHECK(::access(scripts.dir.path("$HOME; exit 1 #").c_str(), F_OK) == 0);
}

TEST_CASE("an event without a hook runs nothing") {
  Scripts scripts;
  scripts.add("exit", "echo > exit");
  scripts.settings.hooks["ready"] = {};
  scripts.hooks().run("ready", "{}");
  scripts.hooks().run("stall", "{}");
  bool ended = false;
  scripts.hooks().finish([&] { ended = true; });
  CHECK(ended);
}

TEST_CASE("the longest event arrives whole") {
  Scripts scripts;
  scripts.add("exit", "cat > event");
  const std::string text(64 * 1024, 'x');
  scripts.hooks().run("exit", text);
  REQUIRE(scripts.end());
  CHECK(scripts.file("event") == text + "\n");
}

TEST_CASE("hooks that fail or do not exist are in nobody's way, and leave nothing behind") {
  Scripts scripts;
  scripts.add("exit", "exit 1");
  scripts.add("drain", "kill -9 $$");
  scripts.add("ready", "echo >> ready");
  scripts.settings.hooks["stall"] = {"/nonexistent/program"};
  scripts.settings.hooks["hang"] = {scripts.dir.path()};  // a folder cannot be run
  // The first has the loop make what it keeps for itself.
  scripts.hooks().run("ready", "{}");
  REQUIRE(scripts.soon([&] { return scripts.lines("ready") == 1; }));
  REQUIRE(scripts.end());
  const std::size_t fds = test::count_fds(::getpid());
  for (int times = 0; times < 5; ++times) {
    for (const char* event : {"exit", "drain", "stall", "hang", "ready"}) {
      scripts.hooks().run(event, "{}");
    }
  }
  REQUIRE(scripts.end());
  CHECK(scripts.lines("ready") == 6);
  CHECK(scripts.hooks().dropped() == 0);
  CHECK(test::count_fds(::getpid()) == fds);
  CHECK(test::children_of(::getpid()).empty());
}

TEST_CASE("a hook that does not end is killed with all that it started, and the next one runs") {
  Scripts scripts({.timeout = 200ms, .running = 1});
  scripts.add("exit", "trap '' TERM; sleep 1000 & echo $! > pid; wait; wait");
  scripts.add("ready", "echo > ready");
  scripts.hooks().run("exit", "{}");
  scripts.hooks().run("ready", "{}");
  REQUIRE(scripts.soon([&] { return scripts.lines("pid") == 1; }));
  const pid_t started = std::stoi(scripts.file("pid"));
  REQUIRE(scripts.soon([&] { return scripts.lines("ready") == 1; }));
  CHECK(eventually([&] { return !alive(started); }, 10s));
}

TEST_CASE("what a hook leaves running ends with it") {
  Scripts scripts;
  scripts.add("exit", "sleep 1000 & echo $! > pid");
  scripts.hooks().run("exit", "{}");
  REQUIRE(scripts.end());
  CHECK(eventually([&] { return !alive(std::stoi(scripts.file("pid"))); }, 10s));
}

TEST_CASE("a thousand events at once: four hooks run, 64 wait, the rest is dropped and counted") {
  Scripts scripts;
  // Each runs until the test lets it go.
  REQUIRE(::mkfifo(scripts.dir.path("gate").c_str(), 0600) == 0);
  scripts.add("exit", "echo >> started; read line < gate; cat >> seen");
  const auto before = Clock::now();
  for (int number = 0; number < 1000; ++number) {
    scripts.hooks().run("exit", std::to_string(number));
  }
  const Duration took = Clock::now() - before;
  CHECK(took < 2s);  // the master waited for none of them
  CHECK(scripts.hooks().dropped() == 932);
  REQUIRE(scripts.soon([&] { return scripts.lines("started") == 4; }));
  CHECK(test::children_of(::getpid()).size() == 4);

  const UniqueFd gate(::open(scripts.dir.path("gate").c_str(), O_RDWR | O_CLOEXEC));
  REQUIRE(scripts.soon([&] {
    (void)!::write(gate.get(), "\n", 1);
    CHECK(test::children_of(::getpid()).size() <= 4);
    return scripts.lines("seen") == 68;
  }));
  REQUIRE(scripts.end());
  CHECK(scripts.lines("started") == 68);
  CHECK(scripts.file("seen").find("67\n") != std::string::npos);
  CHECK(scripts.hooks().dropped() == 932);
}

TEST_CASE("other settings hold from the next event on") {
  Scripts scripts({.running = 1});
  scripts.add("exit", "echo old >> log");
  scripts.add("ready", "echo >> ready");
  scripts.hooks().run("exit", "{}");
  scripts.hooks().run("ready", "{}");
  scripts.settings.hooks.erase("ready");
  scripts.add("exit", "echo new >> log");
  scripts.hooks().configure(scripts.settings);
  scripts.hooks().run("exit", "{}");
  REQUIRE(scripts.end());
  CHECK(scripts.file("log") == "old\nnew\n");
  CHECK(scripts.file("ready").empty());
}

TEST_CASE("the end waits for the hooks, and not for ever") {
  Scripts scripts({.timeout = 500ms});
  scripts.add("stop", "cat > stop");
  scripts.add("exit", "echo $$ > pid; exec sleep 1000");
  scripts.hooks().run("stop", "{}");
  REQUIRE(scripts.end());
  CHECK(scripts.lines("stop") == 1);

  for (int times = 0; times < 20; ++times) scripts.hooks().run("exit", "{}");
  const auto before = Clock::now();
  REQUIRE(scripts.end());
  CHECK(Clock::now() - before < 10s);  // 20 hooks, four at once, would take their time
  CHECK(test::children_of(::getpid()).empty());
}

TEST_CASE("hooks that run when the master goes are killed with it") {
  Scripts scripts;
  scripts.add("exit", "echo $$ > pid; exec sleep 1000");
  scripts.hooks().run("exit", "{}");
  REQUIRE(scripts.soon([&] { return scripts.lines("pid") == 1; }));
  scripts.made.reset();
  CHECK_FALSE(alive(std::stoi(scripts.file("pid"))));
}

}  // namespace clusterd::runtime
