// clusterd logs: the last lines of the log, and those that come.
#include "tests/support/cluster.h"
#include "tests/support/eventually.h"
#include "tests/support/http.h"

#include <boost/json/parse.hpp>
#include <doctest/doctest.h>

#include <csignal>
#include <cstdint>
#include <filesystem>
#include <sstream>
#include <string>
#include <sys/stat.h>
#include <vector>

using namespace clusterd::test;
using namespace std::chrono_literals;

namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream all(text);
  for (std::string line; std::getline(all, line);) lines.push_back(line);
  return lines;
}

/// Each worker says who it is, and serves; while the file "noise" is there it prints.
std::vector<std::string> talker(const TempDir& dir) {
  const std::string path = dir.write(
      "worker", "#!/bin/sh\necho \"I am $CLUSTERD_SLOT\"\n(while :; do if [ -e " +
                    dir.path("noise") + " ]; then yes " + std::string(99, 'x') +
                    " 2>/dev/null | head -n 10000; else sleep 0.1; fi; done) 3>&- &\nexec " +
                    fixture_worker() + " plain\n");
  REQUIRE(::chmod(path.c_str(), 0755) == 0);
  return {path};
}

}  // namespace

TEST_CASE("logs shows the last lines as they stand in the log") {
  const TempDir dir;
  Cluster cluster({.workers = 2, .command = talker(dir)});
  const Finished all = cluster.verb({"logs"});
  REQUIRE(all.code == 0);
  CHECK(all.err.empty());
  CHECK(all.out.find('\x1b') == std::string::npos);
  const std::string out = read_file(cluster.dir().path("out"));
  for (const std::string& line : lines_of(out)) {
    CAPTURE(line);
    // The time is that at which it was read, to the millisecond.
    CHECK(all.out.find(line.substr(23)) != std::string::npos);
  }
  CHECK(all.out.find("  worker-1[") != std::string::npos);
  CHECK(all.out.find("] I am 0\n") != std::string::npos);
  CHECK(all.out.find(" info    master[") != std::string::npos);

  const Finished last = cluster.verb({"logs", "-n", "1"});
  CHECK(lines_of(last.out).size() == 1);
  CHECK(all.out.ends_with(last.out));
  const Finished one = cluster.verb({"logs", "1"});
  CHECK(lines_of(one.out).size() == 1);
  CHECK(one.out.ends_with("] I am 1\n"));
  CHECK(cluster.verb({"logs", "master"}).out.find("worker-1[") == std::string::npos);
  CHECK(cluster.verb({"logs", "agent"}).code == 0);
  CHECK(cluster.verb({"logs", "7"}).out.empty());
  CHECK(cluster.verb({"logs", "x"}).code == 64);
  CHECK(cluster.verb({"logs", "-n", "x"}).code == 64);
  const Finished by_socket = run({clusterd_program(), "logs", "1", "--socket", cluster.control()});
  CHECK(by_socket.out == one.out);

  const Finished json = cluster.verb({"logs", "--json", "0"});
  REQUIRE(lines_of(json.out).size() == 1);
  const auto line = boost::json::parse(json.out).as_object();
  CHECK(line.at("from") == "worker");
  CHECK(line.at("slot") == 0);
  CHECK(line.at("stream") == "stdout");
  CHECK(line.at("text") == "I am 0");
  CHECK(line.at("pid").as_int64() == cluster.workers().at(0));
}

TEST_CASE("logs -f goes on until the cluster stops") {
  const TempDir dir;
  Cluster cluster({.workers = 1, .command = talker(dir)});
  Program follower({clusterd_program(), "logs", "-f", cluster.conf()}, dir.path("out"),
                   dir.path("err"));
  const auto seen = [&](const std::string& text) {
    return read_file(dir.path("out")).find(text) != std::string::npos;
  };
  CHECK(eventually([&] { return seen("] I am 0\n"); }, 10s));
  CHECK(cluster.verb({"recycle", "0"}).code == 0);
  CHECK(eventually([&] { return seen("asked to recycle it"); }, 20s));
  CHECK(cluster.verb({"stop"}).code == 0);
  CHECK(follower.wait(10s) == 0);
  CHECK(read_file(dir.path("err")).empty());
}

TEST_CASE("who follows and does not read costs nobody anything and is told what he missed") {
  constexpr std::int64_t kMayGrowKib = 16 * 1024;
  const TempDir dir;
  // AddressSanitizer hoards what is freed.
  Cluster cluster({.workers = 1,
                   .command = talker(dir),
                   .under = {"env", "ASAN_OPTIONS=quarantine_size_mb=1"}});
  Program follower({clusterd_program(), "logs", "-f", "0", cluster.conf()}, dir.path("out"),
                   dir.path("err"));
  CHECK(eventually([&] { return !read_file(dir.path("out")).empty(); }, 10s));
  follower.signal(SIGSTOP);
  const auto before = resident_kib(cluster.master().pid());
  dir.write("noise", "");
  const auto much = [&] { return read_file(cluster.dir().path("out")).size() > 20'000'000; };
  CHECK(eventually(much, 100s));
  std::filesystem::remove(dir.path("noise"));
  CHECK(get(cluster.port()).ok());
  CHECK(cluster.verb({"logs", "-n", "5"}).code == 0);
  CHECK(resident_kib(cluster.master().pid()) - before < kMayGrowKib);
  follower.signal(SIGCONT);
  const auto told = [&] {
    return read_file(dir.path("out")).find(" lines were not read in time)\n") != std::string::npos;
  };
  CHECK(eventually(told, 20s));
}
