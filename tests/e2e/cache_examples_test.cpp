// The examples of a cache, in C++ and in Python, and the three ways in which it is refreshed. The
// schedules are as in their app.conf, but due when the test says so.
#include "tests/support/cluster.h"
#include "tests/support/eventually.h"
#include "tests/support/http.h"
#include "tests/support/node.h"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <doctest/doctest.h>

#include <cstdio>
#include <set>
#include <string>

using namespace clusterd::test;
using namespace std::chrono_literals;

namespace {

/// All workers answer with this text, refreshed by that.
bool all_have(Cluster& cluster, std::uint16_t port, const std::string& text,
              const std::string& by) {
  std::set<long> who;
  for (int i = 0; i < 8; ++i) {
    const Reply reply = get(port);
    if (!reply.ok() || !reply.body.ends_with(text)) return false;
    if (reply.body.find("last by " + by) == std::string::npos) return false;
    who.insert(pid_in(reply.body));
  }
  return who.size() == cluster.workers().size();
}

std::string schedule(const std::string& name, const std::string& target) {
  return "[[schedule]]\nname = \"" + name + "\"\nevery = \"30d\"\ntarget = \"" + target + "\"\n";
}

const std::string kSchedules = schedule("force-refresh", "all") + schedule("pull-refresh", "one");

/// One of the two examples, in a cluster of its own.
struct Example {
  Cluster& cluster;
  const TempDir& dir;
  std::uint16_t port;
  std::string quote;  ///< of a text in a message, as it writes it

  void change(const std::string& text) const {
    dir.write("next", text);
    REQUIRE(std::rename(dir.path("next").c_str(), dir.path("source").c_str()) == 0);
  }
  [[nodiscard]] bool all_get(const std::string& text, const std::string& by) const {
    const std::string whom = quote + by + quote;
    return eventually([&] { return all_have(cluster, port, text, whom); }, 20s);
  }
  /// That it ends well means that the example tells how it ends.
  [[nodiscard]] bool run(const std::string& schedule) const {
    const Finished run = cluster.verb({"schedule", "run", schedule});
    CAPTURE(run.err);
    CHECK(run.code == 0);
    const auto all = boost::json::parse(cluster.verb({"schedule", "list", "--json"}).out);
    for (const auto& each : all.as_array()) {
      if (each.at("name").as_string() == schedule) return each.at("last").at("result") == "ok";
    }
    return false;
  }
  void stop() const {
    CHECK(cluster.verb({"stop"}).code == 0);
    CHECK(cluster.master().wait(20s) == 0);
  }

  void check_with_agent() const {
    CHECK(all_have(cluster, port, "first\n", quote + "start" + quote));
    for (const std::string text : {"second\n", "third\n"}) {
      change(text);
      CHECK(all_get(text, "push"));
    }
    CHECK(run("force-refresh"));
    CHECK(all_get("third\n", "force"));
    stop();
  }

  /// Nobody tells the workers that there is something new: they have to look.
  void check_without_agent() const {
    CHECK(run("pull-refresh"));
    CHECK(all_have(cluster, port, "first\n", quote + "start" + quote));
    change("second\n");
    CHECK(all_have(cluster, port, "first\n", quote + "start" + quote));
    CHECK(run("pull-refresh"));
    CHECK(all_get("second\n", "pull"));
    change("third\n");
    CHECK(run("force-refresh"));
    CHECK(all_get("third\n", "force"));
    stop();
  }
};

void check_cpp(bool with_agent) {
  const TempDir dir;
  const std::string source = dir.write("source", "first\n");
  const std::string agent =
      "[agent]\ncommand = [\"" + cache_example("cache-agent") + "\", \"" + source + "\"]\n";
  Cluster cluster({.command = {cache_example("cache-worker"), source},
                   .more = kSchedules + (with_agent ? agent : "")});
  const Example cache{cluster, dir, cluster.port(), "\""};
  with_agent ? cache.check_with_agent() : cache.check_without_agent();
}

void check_python(bool with_agent) {
  const TempDir dir;
  const std::string source = dir.write("source", "first\n");
  const std::uint16_t port = free_port();
  const std::string address = "127.0.0.1:" + std::to_string(port);
  const std::string agent =
      "[agent]\nprotocol = \"node-fork\"\ncommand = [\"python3\", \"-B\", \"" +
      example("python/cache_agent.py") + "\", \"" + source + "\"]\n";
  Cluster cluster({.command = {"python3", "-B", example("python/cache.py"), source, address},
                   .worker_keys = "protocol = \"node\"\n",
                   .more = kSchedules + (with_agent ? agent : ""),
                   .address = address});
  const Example cache{cluster, dir, port, ""};
  with_agent ? cache.check_with_agent() : cache.check_without_agent();
}

}  // namespace

TEST_CASE("the example of a cache in C++ is refreshed in all workers when the agent says so") {
  check_cpp(true);
}

TEST_CASE("the example of a cache in C++ is refreshed in all workers when one finds it stale") {
  check_cpp(false);
}

TEST_CASE("the example of a cache in Python is refreshed in all workers when the agent says so") {
  check_python(true);
}

TEST_CASE("the example of a cache in Python is refreshed in all workers when one finds it stale") {
  check_python(false);
}

TEST_CASE("what the app.conf of the caches say is right, where their programs are built") {
  std::string cpp = read_file(example("cache/app.conf"));
  for (const char* name : {"cache-worker", "cache-agent"}) {
    const std::string there = std::string("../../build/release/examples/") + name;
    const std::size_t at = cpp.find(there);
    REQUIRE(at != std::string::npos);
    cpp.replace(at, there.size(), cache_example(name));
  }
  const TempDir dir;
  for (const std::string& conf : {dir.write("app.conf", cpp), example("python/cache.conf")}) {
    CAPTURE(conf);
    const Finished check = run({clusterd_program(), "check", conf});
    CAPTURE(check.err);
    CHECK(check.code == 0);
  }
}
