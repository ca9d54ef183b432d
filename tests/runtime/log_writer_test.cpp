// What the agent makes of the lines that come through its pipe.
#include "agent/log_writer.h"

#include "tests/support/eventually.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"
#include "tests/support/zone.h"

#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <fcntl.h>
#include <filesystem>
#include <string>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

using namespace clusterd;
using namespace clusterd::agent;
using namespace clusterd::test;
using namespace std::chrono_literals;

namespace {

using Every = LogRules::Every;
using Names = std::vector<std::string>;

/// A clock that the test sets, and a pipe that it writes into.
class Log {
 public:
  Log() {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
    out_.reset(ends[0]);
    in_.reset(ends[1]);
  }

  void begin(const LogRules& rules) { REQUIRE(writer_.begin(std::move(out_), path(), rules)); }
  [[nodiscard]] LogWriter& writer() { return writer_; }
  [[nodiscard]] std::string path() const { return dir_.path("shop.log"); }
  [[nodiscard]] const TempDir& dir() const { return dir_; }

  /// All of it, as fast as it is taken.
  void write(std::string text) {
    CHECK(eventually(
        [&] {
          const ssize_t done = ::write(in_.get(), text.data(), text.size());
          if (done > 0) text.erase(0, static_cast<std::size_t>(done));
          turn();
          return text.empty();
        },
        30s));
  }
  template <typename Fact>
  [[nodiscard]] bool soon(Fact fact, std::chrono::milliseconds deadline = 10s) {
    return eventually([&] { return turn(), fact(); }, deadline);
  }
  [[nodiscard]] bool has(const std::string& text) {
    return soon([&] { return read_file(path()) == text; });
  }
  [[nodiscard]] Names old() const {
    Names names;
    for (const auto& entry : std::filesystem::directory_iterator(dir_.path())) {
      const std::string name = entry.path().filename();
      if (name != "shop.log") names.push_back(name);
    }
    std::sort(names.begin(), names.end());
    return names;
  }
  [[nodiscard]] std::uint64_t total() const {
    std::uint64_t sum = 0;
    for (const auto& entry : std::filesystem::directory_iterator(dir_.path())) {
      std::error_code gone;
      const std::uint64_t size = entry.file_size(gone);
      if (!gone) sum += size;
    }
    return sum;
  }
  void turn() { io_.poll(); }

  std::time_t ahead = 0;  ///< of the real time
  std::vector<std::string> errors;
  std::vector<std::string> complaints;
  int periods = 0;

 private:
  TempDir dir_;
  UniqueFd out_;
  UniqueFd in_;
  boost::asio::io_context io_;
  LogWriter writer_{
      io_,
      {.period_over = [this] { ++periods; },
       .wrote = [this](const std::string& why) { errors.push_back(why); },
       .complain = [this](const std::string& why) { complaints.push_back(why); }},
      [this] { return std::chrono::system_clock::now() + std::chrono::seconds(ahead); }};
};

std::string lines(int from, int to) {
  std::string text;
  for (int i = from; i < to; ++i) text += "line " + std::to_string(i) + "\n";
  return text;
}

}  // namespace

TEST_CASE("lines go to the log in their order and the time that is over to a file of its own") {
  Log log;
  const std::time_t now = std::time(nullptr);
  const std::time_t midnight = period_end(Every::day, now);
  log.ahead = midnight - now - 1;
  log.begin({.every = Every::day, .gzip = false});
  log.write(lines(0, 100));
  CHECK(log.has(lines(0, 100)));
  const std::string old = "shop.log." + stamp_of(Every::day, midnight - 1);
  REQUIRE(log.soon([&] { return log.periods == 1; }));
  CHECK(log.old() == Names{old});
  CHECK(read_file(log.dir().path(old)) == lines(0, 100));
  log.write(lines(100, 101));
  CHECK(log.has(lines(100, 101)));
  CHECK(log.errors == std::vector<std::string>{""});
  CHECK(log.complaints.empty());
}

TEST_CASE("what waits in the pipe at midnight is of the day before and a line stays whole") {
  Log log;
  log.begin({.every = Every::day, .gzip = false});
  log.write("one\nha");
  CHECK(log.has("one\nha"));
  log.write("lf a line\n");
  log.ahead = 24 * 3600;
  log.writer().begin_again({.every = Every::day, .gzip = false});  // looks at the clock
  CHECK(log.periods == 1);
  REQUIRE(log.old().size() == 1);
  CHECK(read_file(log.dir().path(log.old()[0])) == "one\nhalf a line\n");
  log.write("begun");
  CHECK(log.has("begun"));
  log.ahead += 24 * 3600;
  log.writer().begin_again({.every = Every::day, .gzip = false});
  CHECK(log.periods == 1);  // not in the middle of a line
  log.write(" and ended\nnext\n");
  CHECK(log.has("next\n"));
  CHECK(log.periods == 2);
  CHECK(read_file(log.dir().path(log.old()[1])) == "begun and ended\n");
}

TEST_CASE("a log of yesterday is found at the start") {
  Log log;
  std::ofstream(log.path()) << "yesterday\n";
  log.ahead = 24 * 3600;
  log.begin({.every = Every::day, .gzip = false});
  CHECK(log.periods == 1);
  CHECK(log.old() == Names{"shop.log." + stamp_of(Every::day, std::time(nullptr))});
  CHECK(read_file(log.path()).empty());
}

TEST_CASE("a new file is begun at midnight and not a second later") {
  for (int time = 0; time < 3; ++time) {
    // A zone in which it is at most two seconds until midnight: -HH:MM:SS is ahead of UTC.
    const std::time_t midnight = std::time(nullptr) + 2;
    const std::time_t ahead = 86'400 - midnight % 86'400;
    const Zone zone("AAA-" + std::to_string(ahead / 3600) + ":" + std::to_string(ahead / 60 % 60) +
                    ":" + std::to_string(ahead % 60));
    const TempDir dir;
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
    const UniqueFd in(ends[1]);
    boost::asio::io_context io;
    std::chrono::system_clock::time_point told{};
    LogWriter writer(io, {.period_over = [&] { told = std::chrono::system_clock::now(); },
                          .wrote = [](const std::string&) {},
                          .complain = [](const std::string&) {}});
    REQUIRE(writer.begin(UniqueFd(ends[0]), dir.path("shop.log"), {.every = Every::day}));
    REQUIRE(eventually([&] { return io.poll(), told.time_since_epoch().count() > 0; }, 10s));
    CHECK(told - std::chrono::system_clock::from_time_t(midnight) < 1s);
  }
}

TEST_CASE("a file that could not be followed is so at the next look and the time is told once") {
  Log log;
  const LogRules rules{.every = Every::day, .gzip = false};
  log.begin(rules);
  log.write("old\n");
  REQUIRE(log.has("old\n"));
  log.ahead = 24 * 3600;
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const rlimit none{0, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  log.writer().begin_again(rules);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(log.periods == 1);
  CHECK(log.old().empty());
  REQUIRE(log.complaints.size() == 2);
  CHECK(log.complaints[1].starts_with("the log goes on in the same file: "));
  log.writer().begin_again(rules);
  CHECK(log.periods == 1);
  CHECK(log.old() == Names{"shop.log." + stamp_of(Every::day, std::time(nullptr))});
  CHECK(read_file(log.path()).empty());
}

TEST_CASE("what is in the way of a name is stepped aside from") {
  Log log;
  log.begin({.every = Every::day, .gzip = false});
  log.write("old\n");
  REQUIRE(log.has("old\n"));
  const std::string name = "shop.log." + stamp_of(Every::day, std::time(nullptr));
  std::filesystem::create_directory(log.dir().path(name));
  std::filesystem::create_symlink("nowhere", log.dir().path(name + ".1"));
  log.ahead = 24 * 3600;
  log.writer().begin_again({.every = Every::day, .keep = 0, .gzip = false, .max_total = 1});
  CHECK(log.old() == Names{name, name + ".1"});  // and what is not a log stays
  CHECK(log.complaints.empty());
}

TEST_CASE("the file that is written is kept under whatever name") {
  Log log;
  log.begin({.every = Every::day});
  log.write("one\n");
  REQUIRE(log.has("one\n"));
  const std::string name = log.dir().path("shop.log.2020-01-01");
  std::filesystem::rename(log.path(), name);
  REQUIRE(::mkfifo(log.path().c_str(), 0600) == 0);
  log.ahead = 24 * 3600;
  log.writer().begin_again({.every = Every::day, .keep = 0});
  REQUIRE(log.complaints.size() == 2);
  CHECK(log.complaints[0].starts_with("the log stays where it was: "));
  CHECK(log.complaints[1].starts_with("the log goes on in the same file: "));
  log.write("two\n");
  CHECK(log.soon([&] { return read_file(name) == "one\ntwo\n"; }));
  std::filesystem::remove(log.path());
  log.writer().begin_again({.every = Every::day, .keep = 0});
  CHECK(log.old().empty());
  CHECK(read_file(log.path()).empty());
}

TEST_CASE("what somebody unpacks beside its compressed form stays") {
  Log log;
  for (const char* name : {"shop.log.2020-01-01", "shop.log.2020-01-02"}) {
    log.dir().write(name, "unpacked\n");
    log.dir().write(name + std::string(".gz"), "packed");
    std::filesystem::last_write_time(log.dir().path(name), {});
    std::filesystem::last_write_time(log.dir().path(name + std::string(".gz")), {});
  }
  log.dir().write("shop.log.2020-01-02", "is being unp");
  log.begin({.every = Every::day});
  log.turn();
  CHECK(log.old() ==
        Names{"shop.log.2020-01-01.gz", "shop.log.2020-01-02", "shop.log.2020-01-02.gz"});
  CHECK(read_file(log.dir().path("shop.log.2020-01-02.gz")) == "packed");
  CHECK(log.complaints.empty());
}

TEST_CASE("what cannot be compressed holds up no other") {
  Log log;
  for (const std::string name : {"shop.log.2020-01-01", "shop.log.2020-01-02"}) {
    log.dir().write(name, "stays\n");
    std::filesystem::create_directory(log.dir().path(name + ".gz.part"));
  }
  log.dir().write("shop.log.2020-01-03", "goes\n");
  log.begin({.every = Every::day});
  CHECK(log.soon([&] { return log.old().back() == "shop.log.2020-01-03.gz"; }));
  CHECK(log.old().size() == 5);
  CHECK(log.complaints.size() == 2);
}

TEST_CASE("an empty log is not kept and the time is told all the same") {
  Log log;
  log.begin({.every = Every::hour, .gzip = false});
  log.ahead = 3600;
  log.writer().begin_again({.every = Every::hour, .gzip = false});
  log.writer().begin_again({.every = Every::hour, .gzip = false});
  CHECK(log.periods == 1);
  CHECK(log.old().empty());
}

TEST_CASE("files end at a size with a whole line and old ones are compressed and bounded") {
  Log log;
  log.begin({.every = Every::size, .size = 64 * 1024, .keep = 3, .gzip = true, .max_total = 0});
  const std::string all = lines(0, 60'000);
  log.write(all);
  const auto settled = [&] {
    const Names old = log.old();
    return old.size() == 3 && std::all_of(old.begin(), old.end(), [](const std::string& name) {
             return name.ends_with(".gz");
           });
  };
  REQUIRE(log.soon(settled, 30s));
  std::string seen;
  std::vector<OldLog> old;
  for (const std::string& name : log.old()) old.push_back(*as_old_log("shop.log", name));
  sort_by_age(old);
  for (const OldLog& each : old) {
    const std::string text = run({"gzip", "-dc", log.dir().path(each.name)}).out;
    CHECK(text.ends_with('\n'));
    CHECK(text.size() >= 64 * 1024);
    CHECK(text.size() < 64 * 1024 + 20);
    seen += text;
  }
  seen += read_file(log.path());
  CHECK(all.ends_with(seen));
  CHECK(log.complaints.empty());
}

TEST_CASE("the total is never more than is allowed however fast the lines come") {
  constexpr std::uint64_t kTotal = 2 * 1024 * 1024;
  for (const bool gzip : {false, true}) {
    Log log;
    log.begin({.every = Every::day, .keep = 1000, .gzip = gzip, .max_total = kTotal});
    std::uint64_t most = 0;
    std::string noise(64 * 1024, 'x');  // which does not compress well, if it is random
    unsigned random = 1;
    for (int i = 0; i < 300; ++i) {
      for (char& c : noise)
        c = static_cast<char>('!' + (random = random * 1103515245 + 12345) % 90);
      for (std::size_t at = 99; at < noise.size(); at += 100) noise[at] = '\n';
      noise.back() = '\n';
      log.write(noise);
      most = std::max(most, log.total());
    }
    CHECK(most <= kTotal);
    CHECK(most > kTotal / 2);
    CHECK(log.old().size() > 3);
  }
}

TEST_CASE("a file that cannot grow is said once and nothing is lost") {
  Log log;
  log.begin({.every = Every::day});
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  struct sigaction ignore{};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGXFSZ, &ignore, nullptr);
  const rlimit small{100, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  log.write(lines(0, 50));
  const bool said = log.soon([&] { return log.errors.size() > 1; });
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
  CHECK(said);
  CHECK(log.errors.at(1) == "write to the log " + log.path() + ": File too large");
  CHECK(log.has(lines(0, 50)));
  CHECK(log.errors.size() == 3);
  CHECK(log.errors.back().empty());
}

TEST_CASE("a log whose folder is not there yet is opened when it is") {
  Log log;
  boost::asio::io_context io;
  std::string last = "nothing";
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
  const UniqueFd in(ends[1]);
  LogWriter writer(io, {.period_over = [] {},
                        .wrote = [&](const std::string& why) { last = why; },
                        .complain = [](const std::string&) {}});
  const std::string folder = log.dir().path("later");
  CHECK_FALSE(writer.begin(UniqueFd(ends[0]), folder + "/shop.log", {.every = Every::day}));
  CHECK(last.find("No such file") != std::string::npos);
  std::filesystem::create_directory(folder);
  REQUIRE(::write(in.get(), "x\n", 2) == 2);
  CHECK(eventually([&] { return io.poll(), read_file(folder + "/shop.log") == "x\n"; }, 20s));
  CHECK(last.empty());
}

TEST_CASE("what is in the pipe at the end is written") {
  Log log;
  log.begin({.every = Every::day});
  log.write(lines(0, 10));
  log.writer().finish();
  CHECK(read_file(log.path()) == lines(0, 10));
}
