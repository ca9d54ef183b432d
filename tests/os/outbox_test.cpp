#include "worker/src/outbox.h"

#include "common/unique_fd.h"
#include "tests/support/eventually.h"

#include <doctest/doctest.h>

#include <atomic>
#include <map>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <vector>

using namespace clusterd;
using namespace clusterd::detail;
using namespace std::chrono_literals;
using test::eventually;

namespace {

struct Pair {
  Pair() {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    ours.reset(ends[0]);
    master.reset(ends[1]);
  }

  [[nodiscard]] std::string hear() const {
    std::string text;
    char some[65536];
    for (;;) {
      const ssize_t got = ::recv(master.get(), some, sizeof some, MSG_DONTWAIT);
      if (got <= 0) return text;
      text.append(some, static_cast<std::size_t>(got));
    }
  }

  UniqueFd ours;
  UniqueFd master;
};

/// Posts numbered lines of 1,000 bytes until one is refused. Gives how many were queued.
int fill(Outbox& outbox) {
  for (int number = 0;; ++number) {
    std::string line = std::to_string(number);
    line += std::string(999 - line.size(), '.') + "\n";
    if (outbox.post(line) != Outbox::Posted::queued) return number;
  }
}

}  // namespace

TEST_CASE("messages wait for flush, and go together in their order") {
  const Pair pair;
  Outbox outbox(pair.ours.get());
  CHECK(outbox.post("one\n") == Outbox::Posted::queued);
  CHECK(outbox.post("two\n") == Outbox::Posted::queued);
  CHECK(pair.hear().empty());
  CHECK_FALSE(outbox.flush().waits);
  CHECK(pair.hear() == "one\ntwo\n");
}

TEST_CASE("the queue is bounded, and says once when half of it is free again") {
  const Pair pair;
  Outbox outbox(pair.ours.get());
  const int queued = fill(outbox);
  CHECK(queued * 1000 <= 256 * 1024);
  CHECK(queued * 1000 > 250 * 1000);
  std::size_t heard = 0;
  int told = 0;
  for (bool waits = true; waits;) {
    const Outbox::Flushed flushed = outbox.flush();
    if (flushed.has_room) ++told;
    waits = flushed.waits;
    heard += pair.hear().size();
  }
  CHECK(heard == static_cast<std::size_t>(queued) * 1000);
  CHECK(told == 1);
  CHECK(outbox.post("more\n") == Outbox::Posted::queued);
  CHECK_FALSE(outbox.flush().has_room);
}

TEST_CASE("a line of the library goes before messages that wait, and tears none") {
  const Pair pair;
  Outbox outbox(pair.ours.get());
  const int queued = fill(outbox);
  REQUIRE(outbox.flush().waits);  // part of a line may have gone
  std::string text;
  std::atomic<bool> said{false};
  std::thread speaker([&] {
    CHECK(outbox.say("control\n").has_value());
    said = true;
  });
  CHECK(eventually(
      [&] {
        text += pair.hear();
        return said.load();
      },
      10s));
  speaker.join();
  while (outbox.flush().waits) text += pair.hear();
  text += pair.hear();
  const std::size_t at = text.find("control\n");
  REQUIRE(at != std::string::npos);
  CHECK(at % 1000 == 0);
  CHECK(at < text.size() / 2 + 300'000);
  CHECK(text.size() == static_cast<std::size_t>(queued) * 1000 + 8);
  text.erase(at, 8);
  for (int number = 0; number < queued; ++number) {
    const auto start = static_cast<std::size_t>(number) * 1000;
    REQUIRE(text.compare(start, std::to_string(number).size() + 1, std::to_string(number) + ".") ==
            0);
  }
}

TEST_CASE("no line is torn, wherever in the queue another one gets in") {
  const Pair pair;
  Outbox outbox(pair.ours.get());
  const std::string line = std::string(16'000, 'x') + "\n";
  std::string text;
  int posted = 0;
  int put = 0;
  for (int step = 0; step < 500; ++step) {
    while (outbox.post(line) == Outbox::Posted::queued) ++posted;
    (void)outbox.flush();
    text += pair.hear();
    outbox.put("control\n");
    ++put;
  }
  while (outbox.flush().waits) text += pair.hear();
  text += pair.hear();
  int lines = 0;
  int controls = 0;
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = text.find('\n', start) + 1;
    REQUIRE(end != 0);
    const std::string_view one(text.data() + start, end - start);
    if (one == line) ++lines;
    if (one == "control\n") ++controls;
    start = end;
  }
  CHECK(lines == posted);
  CHECK(controls == put);
}

TEST_CASE("without a master nothing waits") {
  Pair pair;
  Outbox outbox(pair.ours.get());
  fill(outbox);
  pair.master.reset();
  CHECK_FALSE(outbox.flush().waits);
  CHECK(outbox.post("late\n") == Outbox::Posted::gone);
  CHECK_FALSE(outbox.say("late\n").has_value());
  outbox.flush_for(10s);
}

TEST_CASE("flush_for waits for a master that is slow, and not for ever for one that is stuck") {
  const Pair pair;
  Outbox outbox(pair.ours.get());
  const int queued = fill(outbox);
  std::size_t heard = 0;
  {
    std::atomic<bool> done{false};
    std::thread flusher([&] {
      outbox.flush_for(10s);
      done = true;
    });
    CHECK(eventually(
        [&] {
          heard += pair.hear().size();
          return done.load();
        },
        10s));
    flusher.join();
  }
  heard += pair.hear().size();
  CHECK(heard == static_cast<std::size_t>(queued) * 1000);
  fill(outbox);
  outbox.flush_for(20ms);  // returns
  CHECK(outbox.flush().waits);
}

TEST_CASE("several threads post whole lines, each in its order") {
  const Pair pair;
  Outbox outbox(pair.ours.get());
  constexpr int kThreads = 4;
  constexpr int kLines = 2'000;
  std::atomic<int> running{kThreads};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int number = 0; number < kLines;) {
        const std::string line = std::to_string(thread) + " " + std::to_string(number) + "\n";
        if (outbox.post(line) == Outbox::Posted::queued) ++number;
      }
      --running;
    });
  }
  std::string text;
  while (running > 0 || outbox.flush().waits) {
    (void)outbox.flush();
    text += pair.hear();
  }
  text += pair.hear();
  for (std::thread& thread : threads) thread.join();
  std::map<int, int> next;
  for (std::size_t start = 0; start < text.size();) {
    std::size_t after = 0;
    const int thread = std::stoi(text.substr(start), &after);
    const int number = std::stoi(text.substr(start + after));
    REQUIRE(number == next[thread]++);
    start = text.find('\n', start) + 1;
  }
  for (int thread = 0; thread < kThreads; ++thread) CHECK(next[thread] == kLines);
}

TEST_CASE("lines of the library are before messages and in the order in which they were said") {
  const Pair pair;
  Outbox outbox(pair.ours.get());
  const int queued = fill(outbox);
  (void)outbox.flush();  // the socket is full, within a line
  outbox.urge("first\n");
  outbox.put("second\n");
  outbox.urge("third\n");
  std::string text;
  while (outbox.flush().waits) text += pair.hear();
  text += pair.hear();
  const std::size_t first = text.find("first\n");
  REQUIRE(first != std::string::npos);
  CHECK(text.substr(first, 19) == "first\nsecond\nthird\n");
  CHECK(first + 19 + 5'000 < text.size());  // messages that waited come after them
  CHECK(text.size() == static_cast<std::size_t>(queued) * 1000 + 19);
  outbox.put("fourth\n");
  CHECK(outbox.post("message\n") == Outbox::Posted::queued);
  outbox.put("fifth\n");
  (void)outbox.flush();
  CHECK(pair.hear() == "fourth\nfifth\nmessage\n");
}

TEST_CASE("say tells that the master is gone") {
  Pair pair;
  Outbox outbox(pair.ours.get());
  pair.master.reset();
  const auto said = outbox.say("ready\n");
  REQUIRE_FALSE(said);
  CHECK(said.error().what == "the master is gone");
}
