// Messages between the programs of a cluster. Round-robin brings one question after another to one
// worker after another, so as many questions as there are workers ask all of them.
#include "tests/support/cluster.h"
#include "tests/support/eventually.h"
#include "tests/support/http.h"

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <map>
#include <string>
#include <vector>

using namespace clusterd::test;
using namespace std::chrono_literals;

namespace {

/// One GET of `path`.
std::string ask(std::uint16_t port, const std::string& path) {
  const Reply reply = get(port, 10s, path);
  REQUIRE(reply.ok());
  return reply.body;
}

/// What each worker was told, asked of all in turn: round-robin, one connection a worker.
std::vector<std::string> news_of_all(Cluster& cluster, unsigned workers) {
  std::vector<std::string> all;
  for (unsigned i = 0; i < workers; ++i) all.push_back(ask(cluster.port(), "/news"));
  return all;
}

std::size_t count(const std::string& text, const std::string& line) {
  std::size_t found = 0;
  for (std::size_t at = text.find(line); at != std::string::npos; at = text.find(line, at + 1)) {
    ++found;
  }
  return found;
}

/// How often `line` is in the news of each worker, sorted.
std::vector<std::size_t> counts(Cluster& cluster, unsigned workers, const std::string& line) {
  std::vector<std::size_t> all;
  for (const std::string& news : news_of_all(cluster, workers)) all.push_back(count(news, line));
  std::sort(all.begin(), all.end());
  return all;
}

using Heard = std::vector<std::size_t>;

/// `connection` is keep-alive or close. Each request makes the worker send a message to all.
Finished load_for_a_second(Cluster& cluster, const std::string& connection) {
  return run({"wrk", "-t1", "-c32", "-d1", "-H", "Connection: " + connection,
              "http://127.0.0.1:" + std::to_string(cluster.port()) + "/tell"});
}

}  // namespace

TEST_CASE("a message reaches whom it is for, once") {
  Cluster cluster({.workers = 3, .command = {messages_worker()}});
  const std::uint16_t port = cluster.port();
  // TO_ALL and TO_APP: everybody, the sender too.
  CHECK(ask(port, "/send/0/0/refresh/1") == "1 ");
  CHECK(ask(port, "/send/1/0/refresh/{\"a\":2}") == "1 ");
  CHECK(eventually(
      [&] {
        return counts(cluster, 3, "message refresh 1\n") == Heard{1, 1, 1} &&
               counts(cluster, 3, "message refresh {\"a\":2}\n") == Heard{1, 1, 1};
      },
      5s));
  // TO_RANDOM: each worker in turn.
  for (int i = 0; i < 6; ++i) CHECK(ask(port, "/send/3/0/any/null") == "1 ");
  CHECK(eventually([&] { return counts(cluster, 3, "other any null\n") == Heard{2, 2, 2}; }, 5s));
  // TO_PID and TO_SLOT: that one.
  const auto pids = cluster.workers();
  CHECK(ask(port, "/send/4/" + std::to_string(pids[1]) + "/pid/7") == "1 ");
  CHECK(ask(port, "/send/5/2/slot/8") == "1 ");
  CHECK(eventually(
      [&] {
        return counts(cluster, 3, "other pid 7\n") == Heard{0, 0, 1} &&
               counts(cluster, 3, "other slot 8\n") == Heard{0, 0, 1};
      },
      5s));
  // Nobody: the sender is told.
  CHECK(ask(port, "/send/4/1/nobody/1") == "1 ");
  CHECK(ask(port, "/send/2/0/no-agent/1") == "1 ");
  CHECK(eventually(
      [&] {
        return counts(cluster, 3, "undelivered nobody 1\n") == Heard{0, 0, 1} &&
               counts(cluster, 3, "undelivered no-agent 1\n") == Heard{0, 0, 1};
      },
      5s));
  CHECK(counts(cluster, 3, "message refresh 1\n") == Heard{1, 1, 1});
  // A message that is none leaves the worker alive, and says what is wrong.
  CHECK(ask(port, "/send/0/0/bad/{\"a\":}")
            .starts_with("-1 clusterd: the message \"bad\" is no JSON"));
  CHECK(ask(port, "/send/9/0/bad/1").starts_with("-1 clusterd: no such recipient"));
  CHECK(cluster.workers() == pids);
}

TEST_CASE("everybody hears that the cluster is ready, and a replacement too") {
  Cluster cluster({.workers = 2, .command = {messages_worker()}});
  CHECK(eventually([&] { return counts(cluster, 2, "event cluster-ready") == Heard{1, 1}; }, 5s));
  const auto before = cluster.workers();
  ::kill(before[0], SIGKILL);
  REQUIRE(eventually(
      [&] {
        const auto now = cluster.workers();
        return now.size() == 2 && now[0] != before[0];
      },
      10s));
  CHECK(eventually([&] { return counts(cluster, 2, "event cluster-ready") == Heard{1, 1}; }, 5s));
}

TEST_CASE("who handles nothing costs its peers no message, the master no memory (fault 18)") {
  Cluster cluster({.workers = 3, .command = {messages_worker()}});
  const std::uint16_t port = cluster.port();
  const auto pids = cluster.workers();
  ::kill(pids[2], SIGSTOP);
  // 400 messages of 10,000 bytes: four times what may wait for one receiver.
  constexpr std::size_t kMessages = 400;
  std::size_t queued = 0;
  while (queued < kMessages) {
    queued += std::stoul(ask(port, "/flood/20/10000"));
  }
  const auto heard = [&](const std::string& line) {
    std::vector<std::size_t> two;
    for (int i = 0; i < 2; ++i) two.push_back(count(ask(port, "/news"), line));
    return two;
  };
  CHECK(eventually([&] { return heard("message flood (long)\n") == Heard{queued, queued}; }, 10s));
  const auto missed = [&] {
    std::size_t sum = 0;
    const std::string news = ask(port, "/news");
    const std::string line = "undelivered flood ";
    for (std::size_t at = news.find(line); at != std::string::npos; at = news.find(line, at + 1)) {
      sum += std::stoul(news.substr(at + line.size()));
    }
    return sum;
  };
  const std::size_t told = missed() + missed();
  CHECK(told >= queued / 2);
  ::kill(pids[2], SIGCONT);
  // What it had not missed it hears now; the two numbers are all messages.
  CHECK(eventually(
      [&] {
        const auto all = counts(cluster, 3, "message flood (long)\n");
        return all.front() + told == queued;
      },
      10s));
  CHECK(cluster.workers() == pids);
}

TEST_CASE("past the high-water mark a send is refused, and there is word when to go on") {
  Cluster cluster({.workers = 1, .command = {messages_worker()}});
  // More than may wait, in one turn of the worker's loop: nothing can be sent meanwhile.
  const std::size_t queued = std::stoul(ask(cluster.port(), "/flood/300/10000"));
  CHECK(queued > 20);
  CHECK(queued < 300);
  CHECK(eventually(
      [&] {
        const std::string news = ask(cluster.port(), "/news");
        return count(news, "room") == 1 && count(news, "message flood (long)\n") == queued;
      },
      10s));
}

TEST_CASE("without clusterd a worker hears itself") {
  const TempDir dir;
  Program worker({messages_worker()}, dir.path("out"), dir.path("err"));
  std::string line;
  REQUIRE(eventually([&] { return (line = read_file(dir.path("out"))).ends_with("\n"); }, 10s));
  line.pop_back();
  const auto port = static_cast<std::uint16_t>(std::stoul(line.substr(line.rfind(':') + 1)));
  CHECK(ask(port, "/send/1/0/refresh/1") == "1 ");
  CHECK(ask(port, "/send/5/0/slot/1") == "1 ");
  CHECK(ask(port, "/send/2/0/agent/1") == "1 ");
  const std::string news = ask(port, "/news");
  CHECK(count(news, "message refresh 1\n") == 1);
  CHECK(count(news, "other slot 1\n") == 1);
  CHECK(count(news, "undelivered agent 1\n") == 1);
}

TEST_CASE("threads-worker serves, sends and drains on all its threads") {
  for (const char* policy : {"round-robin", "accept-race"}) {
    CAPTURE(policy);
    Cluster cluster({.workers = 2, .policy = policy, .command = {threads_worker()}});
    for (const char* connection : {"keep-alive", "close"}) {
      const Finished wrk = load_for_a_second(cluster, connection);
      CAPTURE(wrk.out);
      CHECK(wrk.code == 0);
      CHECK(wrk.out.find("Socket errors") == std::string::npos);
      CHECK(wrk.out.find("Non-2xx") == std::string::npos);
    }
    CHECK(std::stoi(ask(cluster.port(), "/heard")) > 0);
    Client idle(cluster.port());
    idle.ask(false);
    CHECK(idle.read_one(5s).ok());
    CHECK(cluster.verb({"stop"}).code == 0);
    CHECK(idle.read_to_end(5s).kind == Reply::Kind::eof);
    CAPTURE(cluster.log());
    CHECK(cluster.log().find("sending TERM") == std::string::npos);
    CHECK(cluster.log().find("Sanitizer") == std::string::npos);
  }
}

TEST_CASE("ThreadSanitizer finds nothing in threads-worker and the worker library") {
  if (threads_worker_tsan().empty()) {
    MESSAGE("this build has other sanitizers");
    return;
  }
  std::vector<std::string> command{threads_worker_tsan()};
  // It wants its shadow memory where address randomisation can have put something else. setarch
  // makes way for the program that it starts, so the worker's pid stays.
  const std::vector<std::string> setarch{"/usr/bin/setarch", "-R"};
  if (run({setarch[0], setarch[1], "/bin/true"}).code == 0) {
    command.insert(command.begin(), setarch.begin(), setarch.end());
  }
  for (const std::string policy : {"round-robin", "accept-race"}) {
    CAPTURE(policy);
    Cluster cluster({.workers = 2, .policy = policy, .command = command});
    for (const char* connection : {"keep-alive", "close"}) {
      const Finished wrk = load_for_a_second(cluster, connection);
      CAPTURE(wrk.out);
      CHECK(wrk.code == 0);
    }
    CHECK(std::stoi(ask(cluster.port(), "/heard")) > 0);
    CHECK(cluster.verb({"stop"}).code == 0);
    const std::string log = cluster.log();
    CAPTURE(log);
    CHECK(log.find("ThreadSanitizer") == std::string::npos);
    CHECK(count(log, "exited with code 0") >= 2);
    CHECK(count(log, "exited with") == count(log, "exited with code 0"));
  }
}
