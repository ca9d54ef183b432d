// Runs of schedules, by the library alone: its master is played here, in the same thread.
#include "common/protocol.h"
#include "tests/runtime/played_master.h"

#include <doctest/doctest.h>

#include <clusterd/worker.h>
#include <clusterd/worker.hpp>
#include <optional>
#include <poll.h>
#include <stdexcept>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <vector>

namespace clusterd::runtime {
namespace {

/// The master's end of one worker, which is told how its runs end.
struct Master : PlayedMaster {
  void run(const std::string& id, const std::string& schedule,
           const std::string& data = "null") const {
    say(encode(protocol::RunNow{id, schedule, data}));
  }

  /// The next that it says of schedules: "handles NAME", "RUN" or "RUN: ERROR".
  std::string next() {
    for (;;) {
      const std::size_t end = unread.find('\n');
      if (end == std::string::npos) {
        pollfd one{channel.get(), POLLIN, 0};
        char bytes[4096];
        if (::poll(&one, 1, 10'000) != 1) return "nothing";
        const ssize_t got = ::recv(channel.get(), bytes, sizeof bytes, 0);
        if (got <= 0) return "the end";
        unread.append(bytes, static_cast<std::size_t>(got));
        continue;
      }
      const auto message = protocol::decode_from_child(unread.substr(0, end));
      REQUIRE(message.has_value());
      unread.erase(0, end + 1);
      if (const auto* handles = std::get_if<protocol::Handles>(&*message)) {
        return "handles " + handles->schedule;
      }
      if (const auto* ran = std::get_if<protocol::Ran>(&*message)) {
        return ran->run + (ran->error.empty() ? "" : ": " + ran->error);
      }
    }
  }
  [[nodiscard]] bool silent() const {
    pollfd one{channel.get(), POLLIN, 0};
    return unread.empty() && ::poll(&one, 1, 50) == 0;
  }

  OfferLane lane = welcome_worker();
  std::string unread;
};

}  // namespace

TEST_CASE("a handler that returns has done its run, and one that throws has failed it") {
  Master master;
  Worker worker;
  std::vector<std::string> seen;
  worker.on_schedule("tick", [&](const Run& run) {
    seen.push_back(std::string(run.id()) + " " + std::string(run.data()));
    if (run.data() == "1") throw std::runtime_error("no database");
    if (run.data() == "2") throw std::runtime_error("");
    if (run.data() == "3") run.fail("as it says");
  });
  CHECK(master.next() == "handles tick");
  for (const char* id : {"0", "1", "2", "3"}) {
    master.run("m-" + std::string(id), "tick", id);
  }
  while (seen.size() < 4) worker.dispatch(1000);
  CHECK(seen[0] == "m-0 0");
  CHECK(master.next() == "m-0");
  CHECK(master.next() == "m-1: no database");
  CHECK(master.next() == "m-2: an exception without a text");
  CHECK(master.next() == "m-3: as it says");
  CHECK_FALSE(worker.draining());
  CHECK(worker.exit_code() == 0);
}

TEST_CASE("a run that is kept goes on until its last copy is gone, in any thread") {
  Master master;
  Worker worker;
  std::vector<Run> kept;
  worker.on_schedule("tick", [&](Run run) { kept.push_back(std::move(run)); });
  CHECK(master.next() == "handles tick");
  master.run("m-1", "tick");
  master.run("m-2", "tick");
  while (kept.size() < 2) worker.dispatch(1000);
  CHECK(master.silent());
  std::thread([first = std::move(kept[0])] { first.done(); }).join();
  CHECK(master.next() == "m-1");
  const Run copy = kept[1];
  kept.clear();
  CHECK(master.silent());
  copy.fail("late");
  copy.done();  // the first counts
  CHECK(master.next() == "m-2: late");
  CHECK(master.silent());
}

TEST_CASE("a worker that drains waits for its runs") {
  Master master;
  Worker worker;
  std::optional<Run> kept;
  worker.on_schedule("tick", [&](Run run) { kept = std::move(run); });
  CHECK(master.next() == "handles tick");
  master.run("m-1", "tick");
  while (!kept) worker.dispatch(1000);
  master.lane.end();
  while (!worker.draining()) worker.dispatch(1000);
  worker.dispatch(0);
  CHECK_FALSE(worker.finished());
  std::thread done([&] { kept.reset(); });
  CHECK(worker.run() == 0);  // woken by it
  done.join();
  CHECK(master.next() == "m-1");
}

TEST_CASE("a run may outlive its worker, and who has no handler fails it") {
  Master master;
  auto worker = std::make_unique<Worker>();
  std::optional<Run> kept;
  worker->on_schedule("tick", [&](Run run) { kept = std::move(run); });
  worker->on_schedule("off", nullptr);
  CHECK(master.next() == "handles tick");
  CHECK(master.next() == "handles off");
  master.run("m-1", "tick");
  master.run("m-2", "off");
  while (!kept) worker->dispatch(1000);
  CHECK(master.next() == "m-2: it has no handler");
  worker.reset();
  kept.reset();
  CHECK(master.next() == "the end");
}

TEST_CASE("runs in C") {
  Master master;
  clusterd_worker* worker = clusterd_worker_new();
  REQUIRE(worker != nullptr);
  CHECK(clusterd_worker_api() >= 3);
  static std::vector<clusterd_run*> runs;
  const auto keep = [](void*, clusterd_run* run) { runs.push_back(run); };
  CHECK(clusterd_worker_on_schedule(worker, "tick", keep, nullptr) == 0);
  CHECK(master.next() == "handles tick");
  master.run("m-1", "tick", "{\"a\":1}");
  master.run("m-2", "tick");
  while (runs.size() < 2) clusterd_worker_dispatch(worker, 1000);
  CHECK(std::string(clusterd_run_id(runs[0])) == "m-1");
  CHECK(std::string(clusterd_run_schedule(runs[0])) == "tick");
  CHECK(std::string(clusterd_run_data(runs[0])) == "{\"a\":1}");
  clusterd_run_end(runs[0], nullptr);
  clusterd_run_end(runs[1], "no");
  CHECK(master.next() == "m-1");
  CHECK(master.next() == "m-2: no");
  CHECK(clusterd_worker_on_schedule(worker, "tick", nullptr, nullptr) == 0);
  clusterd_worker_free(worker);
}

TEST_CASE("without a master nothing is ever due") {
  Worker worker;
  REQUIRE_FALSE(worker.managed());
  worker.on_schedule("tick", [](const Run&) { FAIL("nobody said so"); });
  worker.dispatch(0);
}

}  // namespace clusterd::runtime
