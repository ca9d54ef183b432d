#include "common/clock.h"
#include "common/unique_fd.h"
#include "master/os/control_socket.h"
#include "tests/support/cluster.h"
#include "tests/support/eventually.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

#include <doctest/doctest.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

// The client verbs, as programs, against a control socket whose answers are made up here.

namespace clusterd::test {
namespace {

using namespace std::chrono_literals;
using Words = std::vector<std::string>;

/// What a master is to a client: it reads one request, and says some lines.
class FakeMaster {
 public:
  enum class Then : std::uint8_t { wait, hang_up };

  explicit FakeMaster(std::string answer, Then then = Then::wait)
      : socket_(open(dir_.path("ctl.sock"))), answer_(std::move(answer)), then_(then) {
    thread_ = std::thread([this] { serve(); });
  }
  FakeMaster(const FakeMaster&) = delete;
  FakeMaster& operator=(const FakeMaster&) = delete;
  ~FakeMaster() { join(); }

  [[nodiscard]] std::string path() const { return dir_.path("ctl.sock"); }
  /// The line that the client sent, once the client has gone.
  [[nodiscard]] std::string request() {
    join();
    return request_;
  }

 private:
  static os::UnixListener open(const std::string& path) {
    auto socket = os::open_control_socket({path});
    REQUIRE(socket.has_value());
    return std::move(*socket);
  }

  static bool readable(int fd) {
    pollfd ready{fd, POLLIN, 0};
    return ::poll(&ready, 1, 20'000) == 1;
  }

  void serve() {
    if (!readable(socket_.fd())) return;
    const UniqueFd client(::accept4(socket_.fd(), nullptr, nullptr, SOCK_CLOEXEC));
    char byte = 0;
    while (readable(client.get()) && ::recv(client.get(), &byte, 1, 0) == 1 && byte != '\n') {
      request_ += byte;
    }
    ::send(client.get(), answer_.data(), answer_.size(), MSG_NOSIGNAL);
    if (then_ == Then::wait && readable(client.get())) ::recv(client.get(), &byte, 1, 0);
  }

  void join() {
    if (thread_.joinable()) thread_.join();
  }

  TempDir dir_;
  os::UnixListener socket_;
  std::string answer_;
  Then then_;
  std::string request_;
  std::thread thread_;
};

/// `clusterd WORDS... --socket PATH`
Words with_socket(Words words, const std::string& path) {
  words.insert(words.begin(), clusterd_program());
  words.insert(words.end(), {"--socket", path});
  return words;
}

struct Talk {
  std::string request;
  Finished client;
};

Talk talk(const Words& words, const std::string& answer,
          FakeMaster::Then then = FakeMaster::Then::wait) {
  FakeMaster master(answer, then);
  Finished client = run(with_socket(words, master.path()));
  return {master.request(), std::move(client)};
}

/// It has a pidfd, which a client gets when it has sent its request.
bool watches_a_process(pid_t pid) {
  std::error_code ignored;
  const std::string folder = "/proc/" + std::to_string(pid) + "/fd";
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    const std::string target = std::filesystem::read_symlink(entry, ignored).string();
    if (target.find("pidfd") != std::string::npos) return true;
  }
  return false;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a verb is one line to the master") {
  const std::vector<std::pair<Words, std::string>> verbs = {
      {{"reload"}, R"({"verb":"reload","dry_run":false})"},
      {{"reload", "--dry-run"}, R"({"verb":"reload","dry_run":true})"},
      {{"restart"}, R"({"verb":"restart"})"},
      {{"scale", "6"}, R"({"verb":"scale","to":6})"},
      {{"scale", "+2"}, R"({"verb":"scale","by":2})"},
      {{"scale", "-1"}, R"({"verb":"scale","by":-1})"},
      {{"recycle", "3"}, R"({"verb":"recycle","slot":3})"},
      {{"kill", "0"}, R"({"verb":"kill","slot":0})"},
      {{"events"}, R"({"verb":"events","follow":false})"},
      {{"events", "-f"}, R"({"verb":"events","follow":true})"},
      {{"stop", "--no-wait"}, R"({"verb":"stop"})"},
  };
  for (const auto& [words, line] : verbs) {
    CAPTURE(line);
    const Talk done = talk(words, "{\"ok\":true}\n");
    CHECK(done.request == line);
    CHECK(done.client.code == 0);
    CHECK(done.client.err.empty());
  }
}

TEST_CASE("a success is told with what has changed, and its progress on stderr") {
  const Talk done = talk({"reload"}, R"({"progress":"waits for the reload before it"}
{"progress":"generation 2: 1 of 4 ready"}
{"ok":true,"text":"generation 2 serves","changes":["workers: 2 -> 4","log.level: info -> debug"]}
)");
  CHECK(done.client.code == 0);
  CHECK(done.client.out == "  workers: 2 -> 4\n  log.level: info -> debug\ngeneration 2 serves\n");
  CHECK(done.client.err ==
        "clusterd: waits for the reload before it\nclusterd: generation 2: 1 of 4 ready\n");
  CHECK(talk({"restart"}, "{\"ok\":true}\n").client.out == "restart: done\n");
}

TEST_CASE("a dry run says what would change, and nothing else") {
  const Talk some =
      talk({"reload", "--dry-run"}, R"({"ok":true,"text":"x","changes":["workers: 2 -> 4"]})"
                                    "\n");
  CHECK(some.client.out == "  workers: 2 -> 4\n");
  const Talk none = talk({"reload", "--dry-run", "--no-wait"}, "{\"ok\":true,\"changes\":[]}\n");
  CHECK(none.client.out == "nothing would change\n");
  CHECK(none.client.code == 0);
}

TEST_CASE("who does not wait goes with the first line") {
  const Talk begun = talk({"reload", "--no-wait"}, "{\"progress\":\"generation 2 starts\"}\n");
  CHECK(begun.client.code == 0);
  CHECK(begun.client.out == "generation 2 starts\n");
  CHECK(begun.client.err.empty());
  const Talk refused = talk({"scale", "4", "--no-wait"}, R"({"ok":false,"error":"is stopping"})"
                                                         "\n");
  CHECK(refused.client.code == 71);
  CHECK(refused.client.err == "clusterd: scale: is stopping\n");
}

TEST_CASE("a failure says why, what the worker said last, and what holds now") {
  const Talk failed = talk({"reload"}, R"({"progress":"generation 2 starts"}
{"ok":false,"error":"slot 0: exited with code 3","code":75,"stderr":"no x\nbye \u001b[31m\u0007\n"}
)");
  CHECK(failed.client.code == 75);
  CHECK(failed.client.out.empty());
  CHECK(failed.client.err ==
        "clusterd: generation 2 starts\n"
        "clusterd: reload: slot 0: exited with code 3\n"
        "its last words:\n"
        "  no x\n"
        "  bye \\x1b[31m\\x07\n"
        "the old generation goes on serving; mend the cause, and \"clusterd reload\" again\n");
}

TEST_CASE("mistakes in the file are passed on as they are") {
  const Talk failed =
      talk({"reload"},
           R"({"ok":false,"error":"2 mistakes","mistakes":["a.conf:3: a","a.conf:4: b"],"code":78})"
           "\n");
  CHECK(failed.client.code == 78);
  CHECK(failed.client.err.starts_with(
      "clusterd: reload: 2 mistakes\na.conf:3: a\na.conf:4: b\nthe old "));
}

TEST_CASE("a bare refusal says what the master says, and 71") {
  for (const Words& words :
       {Words{"reload"}, Words{"restart"}, Words{"kill", "7"}, Words{"events"}}) {
    const Talk refused = talk(words, R"({"ok":false,"error":"there is no slot 7"})"
                                     "\n");
    CHECK(refused.client.code == 71);
    CHECK(refused.client.err == "clusterd: " + words[0] + ": there is no slot 7\n");
  }
  CHECK(talk({"reload"}, "{\"ok\":false,\"error\":\"x\",\"code\":0}\n").client.code == 71);
  CHECK(talk({"reload"}, "{\"ok\":false,\"error\":\"x\",\"code\":999}\n").client.code == 71);
}

TEST_CASE("an answer that is none is a bug, not a success") {
  for (const std::string answer : {"reloaded\n", "[]\n", "\n"}) {
    const Talk odd = talk({"reload"}, answer);
    CHECK(odd.client.code == 70);
    CHECK(odd.client.err == "clusterd: reload: the master's answer is no JSON object\n");
  }
  const Talk odd = talk({"reload"}, "{\"ok\":true,\"changes\":[1,null],\"text\":5}\n");
  CHECK(odd.client.code == 0);
  CHECK(odd.client.out == "reload: done\n");
}

TEST_CASE("a master that hangs up in mid-reload has not reloaded") {
  const Talk cut = talk({"reload"}, "{\"progress\":\"generation 2 starts\"}\n{\"ok\":tr",
                        FakeMaster::Then::hang_up);
  CHECK(cut.client.code == 71);
  CHECK(contains(cut.client.err, "clusterd: reload: the master closed the connection\n"));
}

TEST_CASE("the end of the master ends a reload") {
  Cluster cluster({.workers = 1});
  cluster.master().signal(SIGSTOP);
  Program client(with_socket({"reload"}, cluster.control()), cluster.dir().path("client.out"),
                 cluster.dir().path("client.err"));
  REQUIRE(eventually([&] { return watches_a_process(client.pid()); }, 20s));
  cluster.master().signal(SIGKILL);
  CHECK(client.wait(20s) == 71);
  CHECK(read_file(cluster.dir().path("client.err")) ==
        "clusterd: reload: the master ended in mid-reload\n");
}

TEST_CASE("events are passed on as they come") {
  const std::string events = "{\"seq\":1,\"event\":\"start\"}\n{\"seq\":2,\"event\":\"exit\"}\n";
  const Talk all = talk({"events"}, events + "{\"ok\":true}\n");
  CHECK(all.client.code == 0);
  CHECK(all.client.out == events);

  const TempDir dir;
  FakeMaster master(events);
  Program client(with_socket({"events", "--follow"}, master.path()), dir.path("out"),
                 dir.path("err"));
  CHECK(eventually([&] { return read_file(dir.path("out")) == events; }, 20s));
  CHECK(client.running());
  client.signal(SIGINT);
  CHECK(client.wait(20s) == 128 + SIGINT);
  CHECK(read_file(dir.path("err")).empty());
}

TEST_CASE("following a cluster to its stop is no failure") {
  const std::string stop = "{\"event\":\"stop\"}\n";
  const Talk stopped = talk({"events", "-f"}, stop, FakeMaster::Then::hang_up);
  CHECK(stopped.client.code == 0);
  CHECK(stopped.client.out == stop);
  CHECK(stopped.client.err.empty());
  CHECK(talk({"events", "-f"}, "{\"event\":\"exit\"}\n", FakeMaster::Then::hang_up).client.code ==
        71);
}

TEST_CASE("events end with whoever reads them, with no event more") {
  FakeMaster master("{\"event\":\"start\"}\n");
  const std::string command =
      clusterd_program() + " events --follow --socket '" + master.path() + "' | head -n 1";
  const TimePoint start = Clock::now();
  const Finished piped = run({"sh", "-c", command});
  CHECK(piped.out == "{\"event\":\"start\"}\n");
  CHECK(piped.err.empty());
  CHECK(Clock::now() - start < 15s);
}

}  // namespace clusterd::test
