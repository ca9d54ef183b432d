// Messages of the library for Python: between workers, with the agent program, and alone.
#include "tests/support/eventually.h"
#include "tests/support/http.h"
#include "tests/support/node.h"
#include "tests/support/told.h"

#include <doctest/doctest.h>

#include <csignal>
#include <string>
#include <vector>

using namespace clusterd::test;
using namespace std::chrono_literals;

namespace {

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::string text_of(pid_t pid) { return std::to_string(pid); }

/// Two workers of tests/node/apps/talks.py, and perhaps an agent program.
class Talking {
 public:
  explicit Talking(const std::string& more = "")
      : cluster_({.command = {"python3", "-B", node_app("talks.py"), example("python"), address()},
                  .worker_keys = "protocol = \"node\"\n",
                  .more = more,
                  .address = address()}) {}

  Cluster& cluster() { return cluster_; }
  /// What this worker answers when it is told to do that; "" if it cannot be reached.
  [[nodiscard]] std::string tell(pid_t worker, const std::string& what) const {
    std::string answer;
    const std::string path = "/" + text_of(worker) + what;
    const auto answered = [&] {
      const Reply reply = get(port_, 60s, path);
      if (!reply.ok() || pid_in(reply.body) != worker) return false;
      answer = reply.body.substr(reply.body.find('\n') + 1);
      return true;
    };
    CHECK(eventually(answered, 60s));
    return answer;
  }
  /// Waits until this worker has heard that.
  [[nodiscard]] bool hears(pid_t worker, const std::string& what) const {
    return eventually([&] { return tell(worker, "/heard") == what; }, 20s);
  }

 private:
  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  std::uint16_t port_ = free_port();
  Cluster cluster_;
};

}  // namespace

TEST_CASE("Python workers ask each other, and learn how each request ended") {
  if (under_other_primary()) return;
  Talking talking;
  const auto workers = talking.cluster().workers();
  REQUIRE(workers.size() == 2);
  const pid_t one = workers[0];
  const std::string other = text_of(workers[1]);
  CHECK(talking.tell(one, "/ask/" + other + "/echo/60") == "None from " + other + ": [1, 'two']");
  CHECK(talking.tell(one, "/ask/" + text_of(one) + "/echo/60") ==
        "None from " + text_of(one) + ": [1, 'two']");
  CHECK(talking.tell(one, "/ask/" + other + "/hold/0.1") == "timeout from None: None");
  CHECK(talking.tell(one, "/ask/agent/echo/60") == "undelivered from None: None");
  CHECK(talking.tell(one, "/ask/" + other + "/die/60") == "gone from None: None");
  CHECK(talking.tell(one, "/heard").empty());
  const Finished asked = talking.cluster().verb({"send", "--to=0", "--wait=20s", "echo", "7"});
  CAPTURE(asked.err);
  CHECK(asked.code == 0);
  CHECK(asked.out == "7\n");
}

TEST_CASE("Python workers send to a slot, hear once, and learn that a receiver is slow") {
  if (under_other_primary()) return;
  Talking talking;
  const auto workers = talking.cluster().workers();
  REQUIRE(workers.size() == 2);
  for (const char* action : {"once", "once", "note"}) {
    CHECK(talking.tell(workers[0], "/send/" + std::string(action) + "/1") == "sent");
  }
  CHECK(talking.hears(workers[1], "once, note"));
  CHECK(talking.tell(workers[0], "/send/note/7") == "sent");
  CHECK(talking.hears(workers[0], "undelivered note 1"));
  const std::string other = text_of(workers[1]);
  CHECK(talking.tell(workers[0], "/press/" + other) ==
        "(" + other + ", True) (" + other + ", False)");
  CHECK(talking.cluster().workers() == workers);
}

TEST_CASE("threads of a Python worker that ask more than has room do not block it") {
  if (under_other_primary()) return;
  Talking talking;
  const auto workers = talking.cluster().workers();
  REQUIRE(workers.size() == 2);
  CHECK(talking.tell(workers[0], "/crowd/" + text_of(workers[1])) == "all ended");
  CHECK(talking.tell(workers[0], "/crowd/" + text_of(workers[0])) == "all ended");
  CHECK(talking.cluster().workers() == workers);
}

TEST_CASE("nothing that a Python worker says by mistake ends it") {
  if (under_other_primary()) return;
  Talking talking("[[schedule]]\nname = \"wordy\"\nevery = \"30d\"\n");
  const auto workers = talking.cluster().workers();
  REQUIRE(workers.size() == 2);
  CHECK(talking.tell(workers[0], "/try/nan/1").starts_with("ValueError: "));
  CHECK(has(talking.tell(workers[0], "/try/long/1"), "65536 are allowed"));
  const std::string longest = talking.tell(workers[0], "/longest/1");
  CHECK(longest.size() == 5);
  CHECK(talking.hears(workers[1], longest));
  const Finished run = talking.cluster().verb({"schedule", "run", "wordy"});
  CHECK(run.code != 0);
  CHECK(has(run.err, std::string(1'024, 'x')));
  CHECK_FALSE(has(run.err, std::string(1'025, 'x')));
  CHECK(talking.cluster().workers() == workers);
}

TEST_CASE("an agent program in Python starts without a word back, and outlives what goes wrong") {
  if (under_other_primary()) return;
  Talking talking("[agent]\nprotocol = \"node-fork\"\ncommand = [\"python3\", \"-B\", \"" +
                  node_app("talks.py") + "\", \"" + example("python") + "\", \"agent\"]\n");
  const auto agent = [&] {
    return static_cast<pid_t>(talking.cluster().status()->at("agent_program").at("pid").as_int64());
  };
  const pid_t first = agent();
  const pid_t one = talking.cluster().workers().at(0);
  const std::string nothing = "None from " + text_of(first) + ": []";
  CHECK(talking.tell(one, "/ask/agent/heard/60") == nothing);
  // They raise instead of answering; what they raise is long.
  CHECK(talking.tell(one, "/ask/agent/raise/0.1") == "timeout from None: None");
  CHECK(talking.tell(one, "/ask/agent/raise-much/0.1") == "timeout from None: None");
  CHECK(talking.tell(one, "/ask/agent/heard/60") == nothing);
  CHECK(agent() == first);
  // Who has said nothing hears what happens nevertheless.
  const pid_t silent = talking.cluster().workers().at(1);
  CHECK(talking.tell(silent, "/events") == "cluster-ready");
  ::kill(first, SIGKILL);
  CHECK(eventually(
      [&] { return talking.tell(silent, "/events") == "cluster-ready, agent-exit, agent-start"; },
      20s));
  const Told told = told_first(talking.cluster(), "agent_error");
  CHECK(told.at("pid") == first);
  CHECK(eventually([&] { return has(talking.cluster().log(), "ZeroDivisionError"); }, 20s));
  CHECK(talking.cluster().verb({"stop"}).code == 0);
}

TEST_CASE("the Python library alone brings messages to itself in the thread that runs it") {
  const TempDir dir;
  Program alone({"python3", "-B", node_app("alone.py"), example("python")}, dir.path("out"),
                dir.path("err"));
  CHECK(alone.wait(120s) == 0);
  CHECK(read_file(dir.path("out")) ==
        "lost {'undelivered'}\ndown\necho [1, 2]\nlate timeout\nmissed any 1\nleft gone\n");
  CHECK(read_file(dir.path("err")).empty());
}
