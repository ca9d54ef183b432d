// Requests and answers, the operator's messages, and what becomes of them when who should hear them
// does not (user demand 26).
#include "tests/support/cluster.h"
#include "tests/support/eventually.h"
#include "tests/support/http.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

using namespace clusterd::test;
using namespace std::chrono_literals;

namespace {

/// One GET of `path`, from whoever's turn it is.
std::string ask(std::uint16_t port, const std::string& path) {
  const Reply reply = get(port, 20s, path);
  REQUIRE(reply.ok());
  return reply.body;
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// The sum of the numbers that follow `what` in a worker's news.
std::int64_t sum_of(const std::string& news, const std::string& what) {
  std::int64_t sum = 0;
  for (std::size_t at = news.find(what); at != std::string::npos; at = news.find(what, at + 1)) {
    sum += std::atoll(news.c_str() + at + what.size());
  }
  return sum;
}

/// What /streamed answers.
struct Streamed {
  std::int64_t heard = 0;
  std::int64_t gaps = 0;
  std::int64_t sent = 0;
  std::int64_t next = 0;
};
Streamed streamed(std::uint16_t port) {
  Streamed told;
  std::istringstream(ask(port, "/streamed")) >> told.heard >> told.gaps >> told.sent >> told.next;
  return told;
}

constexpr bool kSanitized = CLUSTERD_TEST_SCALE < 100;

int mebibytes() {
  const char* wanted = std::getenv("CLUSTERD_TEST_BROADCAST_MIB");
  return wanted != nullptr ? std::atoi(wanted) : kSanitized ? 16 : 128;
}

}  // namespace

TEST_CASE("a request is answered, or its sender hears why not") {
  Cluster cluster({.workers = 1, .command = {messages_worker()}});
  const std::uint16_t port = cluster.port();
  const auto heard = [&](const std::string& line) {
    return eventually([&] { return has(ask(port, "/news"), "answer " + line + "\n"); }, 10s);
  };
  CHECK(ask(port, "/ask/5/0/count/9000") == "1 ");
  CHECK(heard("0 [7]"));
  CHECK(ask(port, "/ask/3/0/count/9000") == "1 ");
  CHECK(ask(port, "/ask/5/0/silent/50") == "1 ");
  CHECK(heard("1 null"));
  CHECK(ask(port, "/ask/5/9/count/9000") == "1 ");
  CHECK(heard("2 null"));
  CHECK(ask(port, "/ask/0/0/count/9000").starts_with("-1 clusterd: the request \"count\" is for"));
  CHECK_FALSE(has(ask(port, "/news"), "undelivered"));  // the request's own handler has heard that
}

TEST_CASE("who asks one that ends without an answer hears so") {
  Cluster cluster({.workers = 2, .command = {messages_worker()}});
  const std::uint16_t port = cluster.port();
  // Both ask the second one, whoever gets the first connection.
  for (int i = 0; i < 2; ++i) CHECK(ask(port, "/ask/5/1/silent/60000") == "1 ");
  // What it has not been sent when it ends would be told as not delivered.
  const auto queued = [&] {
    const auto status = cluster.status();
    return status ? status->at("messages").at("queued").as_int64() : -1;
  };
  CHECK(eventually([&] { return queued() == 2; }, 10s));
  const auto before = cluster.workers();
  REQUIRE(::kill(before[1], SIGKILL) == 0);
  CHECK(eventually([&] { return has(ask(port, "/news"), "answer 3 null\n"); }, 10s));
}

TEST_CASE("clusterd send reaches whom it names, and says who there is if that is nobody") {
  Cluster cluster({.workers = 2, .command = {messages_worker()}});
  const std::uint16_t port = cluster.port();
  auto sent = cluster.verb({"send", "refresh", R"({"key": 7})"});
  CHECK(sent.code == 0);
  CHECK(sent.out == "queued for 2 receivers\n");
  CHECK(eventually([&] { return has(ask(port, "/news"), "message refresh {\"key\": 7}\n"); }, 5s));
  sent = cluster.verb({"send", "--to", "1", "refresh"});
  CHECK(sent.out == "queued for 1 receiver\n");
  sent = cluster.verb({"send", "--to", "pid:" + std::to_string(cluster.workers()[0]), "once"});
  CHECK(sent.out == "queued for 1 receiver\n");
  CHECK(cluster.verb({"send", "--to=random", "--wait=9s", "count"}).out == "[7]\n");
  const auto refused = [&](std::vector<std::string> words) {
    words.insert(words.begin(), "send");
    const Finished finished = cluster.verb(words);
    CHECK(finished.code != 0);
    CHECK(finished.out.empty());
    return finished.err;
  };
  CHECK(has(refused({"--to=7", "x"}), "there is no slot 7; there are 0 to 1"));
  CHECK(has(refused({"--to=pid:1", "x"}), "takes messages has the pid 1"));
  CHECK(has(refused({"--to=agent", "x"}), "there is no agent program"));
  CHECK(has(refused({"--to=0", "--wait=50ms", "silent"}), "there was no answer in time"));
  CHECK(has(refused({"--to=0", "--wait=9s", "die"}), "has ended without an answer"));
  CHECK(has(refused({"x", R"({"a":1,})"}), "expected a key in quotes at byte 7 of"));
  CHECK(has(refused({"x", '"' + std::string(70'000, 'x') + '"'}), "65536 are allowed"));
}

TEST_CASE("one stopped worker and a large broadcast: the others miss nothing (demand 26)") {
  Cluster cluster({.workers = 4,
                   .command = {messages_worker()},
                   .worker_keys = "heartbeat_timeout = \"0\"\n"});  // it is meant to stand still
  const std::uint16_t port = cluster.port();
  const auto pids = cluster.workers();
  REQUIRE(::kill(pids[3], SIGSTOP) == 0);
  constexpr int kBytes = 16 * 1024;
  const int count = mebibytes() * 1024 / 16;
  const std::int64_t before = resident_kib(cluster.master().pid());
  std::int64_t most = before;
  CHECK(ask(port, "/stream/" + std::to_string(count) + "/" + std::to_string(kBytes) + "/" +
                      std::to_string(pids[3])) == "soon");
  // Asked in turn, so each is: while they hear it, they are handed connections.
  int complete = 0;
  std::int64_t sent = 0;
  std::int64_t gaps = 0;
  const bool all = eventually(
      [&] {
        most = std::max(most, resident_kib(cluster.master().pid()));
        const Streamed told = streamed(port);
        sent = std::max(sent, told.sent);
        gaps = std::max(gaps, told.gaps);
        complete = told.heard == count ? complete + 1 : 0;
        return complete >= 6;
      },
      200s);
  CHECK(all);
  CHECK(gaps == 0);
  CHECK(sent == count);
  // Some of 1 MiB waits for who reads, all of it for who does not; a sanitizer keeps more.
  if (!kSanitized) CHECK(most - before < 4 * 1024);
  REQUIRE(::kill(pids[3], SIGCONT) == 0);
  std::int64_t lost = 0;
  std::int64_t late = 0;
  const auto accounted = [&] {
    // Connections go round: each of the four is asked the one, and then the other.
    for (int turn = 0; turn < 4; ++turn) {
      lost = std::max(lost, sum_of(ask(port, "/news"), "undelivered stream "));
    }
    for (int turn = 0; turn < 4; ++turn) {
      const Streamed told = streamed(port);
      if (told.heard < count) late = told.heard;
    }
    return lost + late == count;
  };
  CHECK(eventually(accounted, 20s));
  CAPTURE(lost);
  CAPTURE(late);
  CHECK(lost > 0);
  CHECK(late > 0);
  CHECK(cluster.workers() == pids);
}

TEST_CASE("with drop-oldest a receiver that was stopped hears the newest") {
  Cluster cluster({.workers = 2,
                   .command = {messages_worker()},
                   .worker_keys = "heartbeat_timeout = \"0\"\n",
                   .more = "[messages]\nqueue = \"128KiB\"\npolicy = \"drop-oldest\"\n"});
  const std::uint16_t port = cluster.port();
  const auto pids = cluster.workers();
  REQUIRE(::kill(pids[1], SIGSTOP) == 0);
  constexpr int kCount = 600;
  CHECK(ask(port, "/stream/600/1000/" + std::to_string(pids[1])) == "soon");
  CHECK(eventually([&] { return streamed(port).next == kCount; }, 60s));
  REQUIRE(::kill(pids[1], SIGCONT) == 0);
  // Each of the messages to either was heard, or its sender was told that it was not; and the last
  // one was heard.
  std::int64_t lost = 0;
  std::int64_t heard[2] = {};
  std::int64_t next[2] = {};
  const auto accounted = [&] {
    for (int turn = 0; turn < 2; ++turn) {
      lost = std::max(lost, sum_of(ask(port, "/news"), "undelivered stream "));
    }
    for (int turn = 0; turn < 2; ++turn) {
      const Streamed told = streamed(port);
      heard[turn] = told.heard;
      next[turn] = told.next;
    }
    return lost > 0 && lost + heard[0] + heard[1] == 2 * kCount;
  };
  CHECK(eventually(accounted, 20s));
  CAPTURE(lost);
  CHECK(next[0] == kCount);
  CHECK(next[1] == kCount);
}
