// What an operator does with the pool, and what is shown: scale, recycle, kill, status.
#include "tests/support/pool.h"

#include "tests/support/eventually.h"

#include <doctest/doctest.h>

#include <chrono>
#include <csignal>
#include <memory>

using namespace clusterd::test;
using namespace std::chrono_literals;

namespace {

using Clock = std::chrono::steady_clock;

bool quiet(const Cluster& cluster, std::int64_t n) {
  return eventually([&] { return pool_of(cluster).quiet(n); }, 30s);
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

ClusterOptions fixture(unsigned workers, const std::string& worker_keys = "") {
  return {.workers = workers,
          .command = {fixture_worker(), "events"},
          .worker_keys = worker_keys,
          .more =
              "[restart]\nlimit = 100000\nbackoff = { first = \"10ms\", max = \"20ms\" }\n"
              "[reload]\nsettle = \"10ms\"\n"};
}

/// Workers to come are in the mood that the test gives them, by a file.
struct Moody {
  explicit Moody(ClusterOptions options)
      : cluster(
            (options.worker_keys += "env = { FIXTURE_MOOD_FILE = \"" + dir.path("mood") + "\" }\n",
             options)) {}
  void mood(const std::string& text) const { dir.write("mood", text + "\n"); }

  TempDir dir;
  Cluster cluster;
};

/// Of a pool that gives up at the third death, and tries again every 60 s.
ClusterOptions soon_given_up(unsigned workers) {
  ClusterOptions options = fixture(workers);
  options.more =
      "[restart]\nlimit = 3\nbackoff = { first = \"10ms\", max = \"20ms\" }\ngiveup_retry = "
      "\"60s\"\n";
  return options;
}

/// `status` as a person sees it, once it has this.
std::string shown(const Cluster& cluster, const std::string& part) {
  std::string text;
  (void)eventually(
      [&] {
        text = cluster.verb({"status"}).out;
        return contains(text, part);
      },
      30s);
  return text;
}

void write_workers(const Cluster& cluster, int workers) {
  std::string conf = read_file(cluster.conf());
  const std::size_t at = conf.find("workers = ");
  conf.replace(at, conf.find('\n', at) - at, "workers = " + std::to_string(workers));
  cluster.dir().write("app.conf", conf);
}

}  // namespace

TEST_CASE("scale takes a number, +N and -N, and says how many are ready") {
  Cluster cluster(fixture(2));
  for (const auto& [word, workers] :
       {std::pair{"4", 4}, {"+2", 6}, {"-5", 1}, {"3", 3}, {"3", 3}}) {
    CAPTURE(word);
    const Finished scaled = cluster.verb({"scale", word});
    CHECK(scaled.code == 0);
    CHECK(scaled.out ==
          std::to_string(workers) + (workers == 1 ? " worker ready\n" : " workers ready\n"));
    CHECK(pool_of(cluster).slots == workers);
    CHECK(quiet(cluster, workers));
  }
}

TEST_CASE("scale has limits, and what is beyond them changes nothing") {
  Cluster cluster(fixture(2));
  for (const auto& [word, why] : {std::pair{"-2", "at least one worker stays"},
                                  {"-1024", "at least one worker stays"},
                                  {"+1023", "at most 1024 workers"}}) {
    CAPTURE(word);
    const Finished scaled = cluster.verb({"scale", word});
    CHECK(scaled.code == 71);
    CAPTURE(scaled.err);
    CHECK(contains(scaled.err, why));
  }
  for (const char* word : {"0", "1025", "many"}) CHECK(cluster.verb({"scale", word}).code == 64);
  CHECK(pool_of(cluster).quiet(2));
}

TEST_CASE("scale returns when all are ready, with --no-wait at once") {
  Cluster cluster(fixture(1, "env = { FIXTURE_READY_AFTER_MS = \"2000\" }\n"));
  const auto begun = Clock::now();
  CHECK(cluster.verb({"scale", "3"}).code == 0);
  CHECK(Clock::now() - begun >= 2s);
  CHECK(pool_of(cluster).ready() == 3);
  CHECK(cluster.verb({"scale", "--no-wait", "5"}).code == 0);
  CHECK(pool_of(cluster).ready() == 3);
  CHECK(quiet(cluster, 5));
}

TEST_CASE("scale gives up with 75 when the pool has given up, and status says why") {
  Moody moody(soon_given_up(2));
  Cluster& cluster = moody.cluster;
  moody.mood("FIXTURE_DIE_AT_START=9");
  const Finished scaled = cluster.verb({"scale", "+1"});
  CHECK(scaled.code == 75);
  CHECK(contains(scaled.err, "given up"));
  const auto status = cluster.status();
  REQUIRE(status);
  CHECK(status->at("state") == "degraded");
  CHECK(status->at("restarts").at("given_up") == true);
  CHECK(status->at("restarts").at("in_window") == 3);
  CHECK(status->at("restarts").at("limit") == 3);
  const auto& slot = status->at("slots").as_array().at(2);
  CHECK(slot.at("state") == "given_up");
  CHECK(slot.at("retry_in_s").as_double() > 30);
  CHECK(slot.at("retry_in_s").as_double() <= 60);
  CHECK(slot.at("last_exit").at("code") == 9);
  CHECK(slot.at("last_exit").at("stderr") == "fixture-worker: dies at its start, with 9");
  const std::string text = cluster.verb({"status"}).out;
  CAPTURE(text);
  CHECK(contains(text, "test: degraded, 2 of 3 workers ready"));
  CHECK(contains(text, "3 deaths in the last 60 s, 3 are too many: given up\n"));
  CHECK(contains(text, "slot 2 is given up, next start in "));
  CHECK(contains(text,
                 "; last worker: exited with code 9\n"
                 "    fixture-worker: dies at its start, with 9\n"));

  // Fewer are wanted: nobody is missing any more.
  moody.mood("");
  CHECK(cluster.verb({"scale", "2"}).code == 0);
  CHECK(quiet(cluster, 2));
}

TEST_CASE("TTIN is one worker more, TTOU one less, and one stays") {
  Cluster cluster(fixture(1));
  cluster.master().signal(SIGTTIN);
  CHECK(quiet(cluster, 2));
  cluster.master().signal(SIGTTOU);
  CHECK(quiet(cluster, 1));
  cluster.master().signal(SIGTTOU);
  CHECK(eventually([&] { return contains(cluster.log(), "not scaled: at least one"); }, 20s));
  CHECK(pool_of(cluster).quiet(1));
}

TEST_CASE("scale during a reload waits for it, and all are of the new generation") {
  Cluster cluster(fixture(2, "env = { FIXTURE_READY_AFTER_MS = \"2000\" }\n"));
  CHECK(cluster.verb({"reload", "--no-wait"}).code == 0);
  const auto status = cluster.status();
  REQUIRE(status);
  CHECK(status->at("state") == "reloading");
  CHECK(status->at("rollout").at("from") == 1);
  CHECK(status->at("rollout").at("to") == 2);
  CHECK(status->at("rollout").at("replaced") == 0);
  CHECK(status->at("rollout").at("of") == 2);
  const std::string text = shown(cluster, "generation 1 -> 2: 1 of ");
  CHECK(contains(text, "generation 1 -> 2: 1 of 2 workers replaced\n"));
  CHECK(contains(text, "test: reloading, "));
  CHECK(cluster.verb({"scale", "4"}).code == 0);
  const Pool pool = pool_of(cluster);
  CHECK(pool.ready() >= 4);
  CHECK(quiet(cluster, 4));
  for (const auto& worker : pool_of(cluster).workers) CHECK(worker.generation == 2);
  CHECK(cluster.status()->at("rollout").is_null());
}

TEST_CASE("a pool that was scaled stays so until a reload finds another number") {
  Cluster cluster(fixture(2));
  REQUIRE(cluster.verb({"scale", "4"}).code == 0);
  const pid_t killed = pool_of(cluster).ready_in(3);
  ::kill(killed, SIGKILL);
  CHECK(eventually([&] { return cluster.replaced({killed}, 4); }, 30s));
  CHECK(cluster.verb({"restart"}).code == 0);
  CHECK(quiet(cluster, 4));
  const Finished dry = cluster.verb({"reload", "--dry-run"});
  CHECK(dry.out == "nothing would change\n");
  CHECK(cluster.verb({"reload"}).code == 0);
  CHECK(quiet(cluster, 4));
  write_workers(cluster, 3);
  CHECK(contains(cluster.verb({"reload", "--dry-run"}).out, "workers: 4 -> 3"));
  CHECK(cluster.verb({"reload"}).code == 0);
  CHECK(quiet(cluster, 3));
}

TEST_CASE("recycle replaces the worker of a slot, kill ends it, and the others stay") {
  Cluster cluster(fixture(3));
  const Pool before = pool_of(cluster);
  const Finished recycled = cluster.verb({"recycle", "1"});
  CHECK(recycled.code == 0);
  CHECK(recycled.out == "worker 2 leaves when its successor is ready\n");
  CHECK(eventually([&] { return !alive(before.ready_in(1)); }, 20s));
  CHECK(quiet(cluster, 3));
  const Finished killed = cluster.verb({"kill", "2"});
  CHECK(killed.code == 0);
  CHECK(killed.out == "worker 3 was sent KILL\n");
  CHECK(eventually([&] { return !alive(before.ready_in(2)); }, 20s));
  CHECK(quiet(cluster, 3));
  const Pool after = pool_of(cluster);
  CHECK(after.ready_in(0) == before.ready_in(0));
  const auto status = cluster.status();
  CHECK(status->at("restarts").at("in_window") == 0);
  CHECK(status->at("restarts").at("total") == 2);
}

TEST_CASE("recycle and kill of a slot that there is not are refused") {
  Cluster cluster(fixture(2));
  for (const char* verb : {"recycle", "kill"}) {
    CAPTURE(verb);
    const Finished beyond = cluster.verb({verb, "2"});
    CHECK(beyond.code == 71);
    CHECK(contains(beyond.err, "there is no slot 2; there are 0 to 1"));
    CHECK(cluster.verb({verb, "-1"}).code == 64);
    CHECK(cluster.verb({verb, "first"}).code == 64);
  }
  CHECK(pool_of(cluster).quiet(2));
}

TEST_CASE("a slot without a worker can be neither recycled nor killed") {
  Moody moody(soon_given_up(2));
  moody.mood("FIXTURE_DIE_AT_START=9");
  ::kill(pool_of(moody.cluster).ready_in(1), SIGKILL);
  REQUIRE(contains(shown(moody.cluster, "slot 1 is given up"), "slot 1 is given up"));
  for (const char* verb : {"recycle", "kill"}) {
    const Finished nobody = moody.cluster.verb({verb, "1"});
    CHECK(nobody.code == 71);
    CHECK(contains(nobody.err, "slot 1 has no worker now"));
  }
}

TEST_CASE("status says who drains, what it waits for, until when and why") {
  Cluster cluster(fixture(3, "drain_timeout = \"20s\"\n"));
  // One of three gets it, and it must be the one whose slot goes.
  std::vector<std::unique_ptr<Client>> held;
  for (int times = 0; times < 3; ++times) held.push_back(std::make_unique<Client>(cluster.port()));
  const auto all_taken = [&] {
    const auto counts = cluster.counts();
    return counts && std::all_of(counts->workers.begin(), counts->workers.end(),
                                 [](const auto& worker) { return worker.active == 1; });
  };
  REQUIRE(eventually(all_taken, 10s));
  REQUIRE(cluster.verb({"scale", "2"}).code == 0);
  const auto status = cluster.status();
  REQUIRE(status);
  CHECK(status->at("workers").as_array().size() == 3);
  const auto& worker = status->at("workers").as_array().at(2);
  CHECK(worker.at("slot") == 2);
  CHECK(worker.at("state") == "draining");
  CHECK(worker.at("restarts") == 0);
  CHECK(worker.at("drain").at("connections") == 1);
  CHECK(worker.at("drain").at("deadline_s").to_number<double>() > 10);
  CHECK(worker.at("drain").at("step") == "connections");
  CHECK(worker.at("drain").at("reason") == "scaled down to 2");
  const std::string text = cluster.verb({"status"}).out;
  CHECK(contains(text, "worker 3 (slot 2) waits for 1 connection; TERM in "));
  CHECK(contains(text, " s: scaled down to 2\n"));
  for (auto& client : held) {
    client->ask();
    CHECK(client->read_to_end(20s).ok());
  }
  CHECK(quiet(cluster, 2));
}

TEST_CASE("status shows what a worker says with STATUS=") {
  const TempDir dir;
  const std::string script = dir.write(
      "worker.py",
      "import os, socket\n"
      "address = '\\0' + os.environ['NOTIFY_SOCKET'][1:]\n"
      "socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b'STATUS=warm, 3 of 4', address)\n"
      "os.execv('" +
          fixture_worker() + "', ['fixture-worker', 'serve'])\n");
  Cluster cluster({.workers = 1, .command = {"/usr/bin/python3", script}});
  CHECK(cluster.status()->at("workers").as_array().at(0).at("says") == "warm, 3 of 4");
  CHECK(contains(cluster.verb({"status"}).out, "\nworker 1 says: warm, 3 of 4\n"));
}

TEST_CASE("status shows that a listener which is gone from the file is closing") {
  Cluster cluster(fixture(1, "drain_timeout = \"20s\"\n"));
  const std::uint16_t port = cluster.port();
  Client held(port);
  REQUIRE(eventually([&] { return cluster.counts()->workers.at(0).active == 1; }, 10s));
  std::string conf = read_file(cluster.conf());
  const std::string before = "address = \"127.0.0.1:0\"";
  conf.replace(conf.find(before), before.size(), "address = \"127.0.0.2:0\"");
  cluster.dir().write("app.conf", conf);
  REQUIRE(cluster.verb({"reload"}).code == 0);
  const auto status = cluster.status();
  REQUIRE(status);
  const auto& listeners = status->at("listeners").as_array();
  REQUIRE(listeners.size() == 2);
  CHECK(listeners.at(0).at("state") == "closing");
  CHECK(listeners.at(1).at("state") == "open");
  CHECK(contains(cluster.verb({"status"}).out, "closing"));
  held.ask();
  CHECK(held.read_to_end(20s).ok());
  CHECK(eventually([&] { return cluster.status()->at("listeners").as_array().size() == 1; }, 20s));
  CHECK_FALSE(contains(cluster.verb({"status"}).out, "closing"));
}
