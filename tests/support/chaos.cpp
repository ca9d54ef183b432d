#include "tests/support/chaos.h"

#include "tests/support/eventually.h"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <poll.h>
#include <sstream>
#include <sys/socket.h>

namespace clusterd::test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMostVerbs = 4;
constexpr std::size_t kMostClients = 4;
/// No verb takes longer: two reloads that wait for each other, each with a drain, on a slow
/// machine.
constexpr auto kLongestVerb = 60s;

}  // namespace

const std::array<Chaos::Deed, 11> Chaos::kDeeds{{
    {"kill", 8, &Chaos::kill_worker},
    {"kill all", 1, &Chaos::kill_all},
    {"stop", 4, &Chaos::stop_worker},
    {"suicide", 8, &Chaos::suicide},
    {"reload", 2, &Chaos::reload},
    {"bad reload", 1, &Chaos::reload_bad},
    {"scale", 4, &Chaos::scale},
    {"recycle", 4, &Chaos::recycle},
    {"kill agent", 1, &Chaos::kill_agent},
    {"status", 4, &Chaos::ask_status},
    {"half-open", 4, &Chaos::half_open},
}};

ClusterOptions Chaos::options(const std::string& policy, const TempDir& dir) {
  return {.workers = kWorkers,
          .policy = policy,
          .command = {fixture_worker(), "events", "20"},
          .worker_keys = "stall_timeout = \"200ms\"\nenv = { FIXTURE_TALLY_FILE = \"" +
                         dir.path("tally") + "\", FIXTURE_MOOD_FILE = \"" + dir.path("mood") +
                         "\" }\n",
          .more =
              "[restart]\nlimit = 100000\nbackoff = { first = \"10ms\", max = \"50ms\" }\n"
              "[reload]\nsettle = \"100ms\"\n"};
}

Chaos::Chaos(Cluster& cluster, const TempDir& dir, std::uint32_t seed)
    : cluster_(cluster), dir_(dir), tally_(dir.path("tally")), random_(seed) {}

void Chaos::run(std::chrono::milliseconds time) {
  unsigned weights = 0;
  for (const Deed& deed : kDeeds) weights += deed.weight;
  const auto end = Clock::now() + time;
  while (Clock::now() < end) {
    unsigned at = 0;
    for (unsigned left = random(weights); left >= kDeeds[at].weight; ++at) {
      left -= kDeeds[at].weight;
    }
    ++done_[at];
    (this->*kDeeds[at].act)();
    tend(Clock::now());
    ::poll(nullptr, 0, static_cast<int>(random(100)));
    tend(Clock::now());
  }
}

void Chaos::settle() {
  for (Stopped& one : stopped_) one.until = {};
  clients_.clear();
  const auto nothing_left = [&] {
    tend(Clock::now());
    return verbs_.empty();
  };
  if (!eventually(nothing_left, 2 * kLongestVerb)) complain("a verb does not end");
  const Finished scaled = cluster_.verb({"scale", std::to_string(kWorkers)});
  if (scaled.code != 0) complain("the last scale: " + scaled.err);
}

std::uint64_t Chaos::may_lose() const {
  std::uint64_t sum = kills_;
  for (const pid_t pid : hurt_) sum += tally_.held_by(pid);
  return sum;
}

std::string Chaos::text() const {
  std::ostringstream out;
  for (std::size_t at = 0; at < kDeeds.size(); ++at) {
    out << (at == 0 ? "" : ", ") << kDeeds[at].name << ' ' << done_[at];
  }
  return out.str();
}

void Chaos::kill_worker() { kill(some_worker()); }

void Chaos::kill_all() {
  for (const pid_t pid : cluster_.workers()) kill(pid);
}

/// For a moment, or so long that it stalls.
void Chaos::stop_worker() {
  const pid_t pid = some_worker();
  if (pid == 0) return;
  ::kill(pid, SIGSTOP);
  hurt_.push_back(pid);
  stopped_.push_back({pid, Clock::now() + std::chrono::milliseconds(random(700))});
}

void Chaos::suicide() {
  Client client(cluster_.port());
  if (client.refused()) return complain("refused: a suicide");
  const std::string text = "GET /suicide?reason=chaos HTTP/1.1\r\n\r\n";
  (void)!::send(client.fd(), text.data(), text.size(), MSG_NOSIGNAL);
  clients_.push_back(std::move(client));
}

void Chaos::reload() { start({"reload"}); }

void Chaos::reload_bad() {
  // Its end makes all well again, so it has to begin.
  if (reloads() || verbs_.size() >= kMostVerbs) return;
  dir_.write("mood", "FIXTURE_DIE_AT_START=7\n");
  start({"reload"}, true);
}

void Chaos::scale() { start({"scale", std::to_string(2 + random(5))}); }

void Chaos::recycle() { start({"recycle", std::to_string(random(kWorkers))}); }

void Chaos::kill_agent() {
  const pid_t pid = cluster_.agent();
  if (pid > 0) ::kill(pid, SIGKILL);
}

void Chaos::ask_status() {
  if (!cluster_.status()) complain("no status");
}

void Chaos::half_open() {
  Client client(cluster_.port());
  if (client.refused()) return complain("refused: a client that half-opens");
  if (random(2) == 0) (void)!::send(client.fd(), "GE", 2, MSG_NOSIGNAL);
  clients_.push_back(std::move(client));
}

/// A ready one, or 0.
pid_t Chaos::some_worker() {
  const auto workers = cluster_.workers();
  return workers.empty() ? 0 : workers[random(static_cast<unsigned>(workers.size()))];
}

void Chaos::kill(pid_t pid) {
  if (pid == 0) return;
  ::kill(pid, SIGKILL);
  hurt_.push_back(pid);
  ++kills_;
}

void Chaos::start(std::vector<std::string> words, bool must_fail) {
  if (verbs_.size() >= kMostVerbs) return;
  const std::string name = words.front();
  words.insert(words.begin(), clusterd_program());
  words.push_back(cluster_.conf());
  const std::string said = dir_.path("verbs");
  verbs_.push_back({name, std::make_unique<Program>(words, said, said), Clock::now(), must_fail});
}

bool Chaos::reloads() const {
  return std::any_of(verbs_.begin(), verbs_.end(),
                     [](const Verb& verb) { return verb.name == "reload"; });
}

/// What has its time: stopped workers go on, clients leave, verbs end.
void Chaos::tend(Clock::time_point now) {
  std::erase_if(stopped_, [&](const Stopped& one) {
    if (one.until > now) return false;
    ::kill(one.pid, SIGCONT);
    return true;
  });
  while (clients_.size() > kMostClients) clients_.pop_front();
  std::erase_if(verbs_, [&](Verb& verb) {
    const bool running = verb.program->running();
    if (running && now - verb.begun <= kLongestVerb) return false;
    if (verb.must_fail) dir_.write("mood", "");
    if (running) {
      complain("a " + verb.name + " does not end");
      return true;
    }
    const int code = verb.program->wait(0ms);
    if (verb.must_fail && code == 0) complain("a generation that cannot start was taken for good");
    if (code != 0 && code != 71 && code != 75)
      complain(verb.name + " gave " + std::to_string(code));
    return true;
  });
}

}  // namespace clusterd::test
