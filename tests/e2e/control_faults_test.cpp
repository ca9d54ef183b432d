// Faults 33 to 36 of the list of what a supervisor has to bear: who else wants the sockets' paths,
// and who talks on the control socket. As root, and as an ordinary user where that is another
// thing.
#include "common/unique_fd.h"
#include "master/os/control_socket.h"
#include "tests/support/cluster.h"
#include "tests/support/eventually.h"
#include "tests/support/http.h"

#include <boost/json/value.hpp>
#include <doctest/doctest.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <functional>
#include <memory>
#include <signal.h>
#include <string>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

using clusterd::UniqueFd;
using namespace clusterd::test;
using namespace std::chrono_literals;
namespace os = clusterd::os;

namespace {

constexpr uid_t kSomebody = 4321;
constexpr uid_t kStranger = 4322;
constexpr gid_t kGroup = 4323;

bool is_root() {
  if (::geteuid() == 0) return true;
  MESSAGE("not run: it needs root");
  return false;
}

/// Runs a test with a master of root's, and with one of an ordinary user's: 0 is who runs the test.
/// The test may have subcases of its own.
void for_each_master(const std::function<void(uid_t)>& test) {
  SUBCASE("our own master") { test(0); }
  SUBCASE("an ordinary user's master") {
    if (is_root()) test(kSomebody);
  }
}

ino_t inode_of(const std::string& path) {
  struct stat status{};
  CHECK(::lstat(path.c_str(), &status) == 0);
  return status.st_ino;
}

/// `clusterd start` as the user of the master.
Finished start(uid_t user, const std::string& conf, const std::vector<std::string>& sets = {}) {
  std::vector<std::string> argv = {clusterd_program(), "start"};
  for (const std::string& set : sets) argv.insert(argv.end(), {"--set", set});
  argv.push_back(conf);
  return run(user == 0 ? argv : as(user, argv));
}

/// For its lifetime the test is another user to whoever looks at its sockets.
class As {
 public:
  explicit As(uid_t user) { (void)!::seteuid(user); }
  ~As() { (void)!::seteuid(0); }
  As(const As&) = delete;
  As& operator=(const As&) = delete;
};

UniqueFd connect(const Cluster& cluster) {
  auto fd = os::connect_unix(cluster.control(), SOCK_NONBLOCK);
  return fd ? std::move(*fd) : UniqueFd();
}

ClusterOptions plain(uid_t user) {
  return {.workers = 1,
          .command = {fixture_worker(), "events"},
          .worker_keys = "env = { FIXTURE_LISTEN = \"http\" }\n",
          .more = "[reload]\nsettle = \"500ms\"\n",
          .as = user};
}

}  // namespace

TEST_CASE("fault 33: a second master on one socket is refused with the first one's pid") {
  for_each_master([](uid_t user) {
    const TempDir dir;
    (void)!::chmod(dir.path().c_str(), 0777);
    const std::string unix_path = dir.path("web.sock");
    ClusterOptions options = plain(user);
    options.more += "[[listen]]\nname = \"local\"\naddress = \"unix:" + unix_path + "\"\n";
    Cluster first(options);
    const std::string pid = "(pid " + std::to_string(first.master().pid()) + ")";
    const ino_t control = inode_of(first.control());
    const ino_t web = inode_of(unix_path);

    const Finished second = start(user, first.conf());
    CHECK(second.code == 71);
    CHECK(second.err.find("another master is running") != std::string::npos);
    CHECK(second.err.find(pid) != std::string::npos);
    const Finished third =
        start(user, first.conf(), {"control.socket=" + first.dir().path("other.sock")});
    CHECK(third.code == 71);
    CHECK(third.err.find(unix_path) != std::string::npos);
    CHECK(third.err.find(pid) != std::string::npos);

    CHECK(inode_of(first.control()) == control);
    CHECK(inode_of(unix_path) == web);
    CHECK(first.running(1));
    CHECK(get(first.port()).ok());
  });
}

TEST_CASE("fault 34: after kill -9 a start takes the dead sockets over at once") {
  for_each_master([](uid_t user) {
    const TempDir dir;
    (void)!::chmod(dir.path().c_str(), 0777);
    ClusterOptions options = plain(user);
    options.more += "[[listen]]\nname = \"local\"\naddress = \"unix:" + dir.path("web.sock") +
                    "\"\n" +
                    // A socket that was given away is still its master's to take over.
                    (user == 0 && ::geteuid() == 0 ? "owner = \"nobody\"\n" : "");
    auto first = std::make_unique<Cluster>(options);
    const auto left = session_of(first->master().pid());
    first->master().signal(SIGKILL);
    CHECK(first->master().wait(10s) == 128 + SIGKILL);
    CHECK(eventually([&] { return session_of(left.front()).empty(); }, 20s));
    CHECK(std::filesystem::exists(dir.path("web.sock")));
    const std::vector<std::string> argv = {clusterd_program(), "start", first->conf()};
    Program second(user == 0 ? argv : as(user, argv), dir.path("out"), dir.path("err"));
    CHECK(eventually([&] { return first->running(1) || !second.running(); }, 20s));
    CHECK(second.running());
    CHECK(first->verb({"stop"}).code == 0);
    CHECK_FALSE(std::filesystem::exists(dir.path("web.sock")));
  });
}

TEST_CASE("fault 35: whoever squats at the control socket's path is left alone, and said") {
  for_each_master([](uid_t user) {
    const TempDir dir;
    const std::string conf =
        dir.write("app.conf",
                  "workers = 1\n[[listen]]\naddress = \"127.0.0.1:0\"\n[worker]\ncommand = "
                  "[\"true\"]\n[control]\nsocket = \"run/ctl.sock\"\n");
    const std::string folder = dir.path("run");
    const std::string path = folder + "/ctl.sock";
    std::filesystem::create_directory(folder);
    (void)!::chmod(dir.path().c_str(), 0755);
    if (user != 0) (void)!::chown(folder.c_str(), user, user);
    std::string what = path;
    const auto precious = [&] { return read_file(dir.path("precious")); };
    dir.write("precious", "precious");
    SUBCASE("a file") { dir.write("run/ctl.sock", "squatter"); }
    SUBCASE("a folder") { std::filesystem::create_directory(path); }
    SUBCASE("a link to a file") { std::filesystem::create_symlink(dir.path("precious"), path); }
    SUBCASE("a dangling link") { std::filesystem::create_symlink(dir.path("nothing"), path); }
    SUBCASE("a dead socket of another user") {
      if (!is_root()) return;
      {
        auto socket = os::connect_unix(path, 0);  // nothing is there yet
        CHECK_FALSE(socket.has_value());
        const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, sizeof address.sun_path - 1);
        REQUIRE(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
      }
      REQUIRE(::chown(path.c_str(), kStranger, kStranger) == 0);
      REQUIRE(::chmod(path.c_str(), 0777) == 0);
    }
    SUBCASE("a folder that all may write to") {
      REQUIRE(::chmod(folder.c_str(), 0777) == 0);
      what = folder;
    }
    SUBCASE("a folder of somebody else") {
      if (!is_root()) return;
      REQUIRE(::chown(folder.c_str(), kStranger, kStranger) == 0);
      REQUIRE(::chmod(folder.c_str(), 0755) == 0);
      what = folder;
    }
    struct stat before{};
    const bool was_there = ::lstat(path.c_str(), &before) == 0;
    const Finished refused = start(user, conf);
    CHECK(refused.code == 71);
    CHECK(refused.err.find(what) != std::string::npos);
    struct stat after{};
    CHECK((::lstat(path.c_str(), &after) == 0) == was_there);
    if (was_there) CHECK(after.st_ino == before.st_ino);
    CHECK(precious() == "precious");
  });
}

TEST_CASE("fault 35: a path of 108 bytes is a mistake in the file") {
  const TempDir dir;
  const std::string conf =
      dir.write("app.conf",
                "workers = 1\n[[listen]]\naddress = \"127.0.0.1:0\"\n[worker]\ncommand = "
                "[\"true\"]\n[control]\nsocket = \"/tmp/" +
                    std::string(103, 'x') + "\"\n");
  const Finished refused = start(0, conf);
  CHECK(refused.code == 78);
  CHECK(refused.err.find("has 108 bytes") != std::string::npos);
}

TEST_CASE("fault 36: the control socket is nobody else's from the moment that it is there") {
  const TempDir dir;
  const std::string path = dir.path("ctl.sock");
  std::atomic<bool> done = false;
  std::atomic<int> seen = 0;
  std::atomic<unsigned> modes = 0;
  std::thread looker([&] {
    struct stat status{};
    while (!done) {
      if (::lstat(path.c_str(), &status) != 0) continue;
      ++seen;
      modes |= status.st_mode & 07777U;
    }
  });
  const mode_t before = ::umask(0);
  for (int i = 0; i < 3000 || (seen < 100 && i < 100'000); ++i) {
    if (!os::open_control_socket({path})) break;
  }
  ::umask(before);
  done = true;
  looker.join();
  CHECK(seen > 0);
  CHECK(modes == 0600U);
}

TEST_CASE("fault 36: who may command the master is asked of the kernel") {
  if (!is_root()) return;
  for_each_master([](uid_t user) {
    ClusterOptions options = plain(user);
    const auto ask = [](const Cluster& cluster, uid_t who, gid_t group = 0) {
      return run(as(who, {clusterd_program(), "status", "--socket", cluster.control()}, group));
    };
    SUBCASE("its mode lets nobody near it") {
      Cluster cluster(options);
      CHECK(ask(cluster, kStranger).code == 71);
      CHECK(ask(cluster, kStranger).err.find("Permission denied") != std::string::npos);
      if (user != 0) CHECK(ask(cluster, user).code == 0);
    }
    SUBCASE("who gets there all the same is refused with a word") {
      options.control_keys = "mode = \"0666\"\n";
      Cluster cluster(options);
      const Finished refused = ask(cluster, kStranger, kGroup);
      CHECK(refused.code == 71);
      CHECK(refused.err.find("you are neither root nor") != std::string::npos);
      CHECK(cluster.running(1));
    }
    SUBCASE("members of a group may") {
      options.control_keys = "group = \"" + std::to_string(user == 0 ? kGroup : user) + "\"\n";
      const gid_t group = user == 0 ? kGroup : user;
      Cluster cluster(options);
      struct stat status{};
      REQUIRE(::lstat(cluster.control().c_str(), &status) == 0);
      CHECK((status.st_mode & 07777U) == 0660);
      CHECK(status.st_gid == group);
      CHECK(ask(cluster, kStranger, group).code == 0);
      CHECK(ask(cluster, kStranger).code == 71);
      CHECK(cluster.verb({"reload"}).code == 0);
    }
  });
}

TEST_CASE("fault 36: a thousand silent clients keep nobody out, and cost no more than a few") {
  if (!is_root()) return;
  for_each_master([](uid_t user) {
    Cluster cluster(plain(user));
    const std::size_t fds = cluster.fds();
    std::vector<UniqueFd> silent;
    {
      const As owner(user);
      for (int i = 0; i < 1000; ++i) {
        UniqueFd fd = connect(cluster);
        if (!fd) {  // the backlog is full for a moment
          CHECK(eventually([&] { return static_cast<bool>(fd = connect(cluster)); }, 10s));
        }
        if (i % 3 == 0) (void)!::send(fd.get(), "{\"verb\":", 8, MSG_NOSIGNAL);
        silent.push_back(std::move(fd));
      }
    }
    CHECK(cluster.verb({"status"}).code == 0);
    if (user != 0) {
      CHECK(run(as(user, {clusterd_program(), "status", "--socket", cluster.control()})).code == 0);
    }
    CHECK(eventually([&] { return count_fds(cluster.master().pid()) <= fds + 16; }, 10s));
    silent.clear();
    CHECK(eventually([&] { return cluster.fds() == fds; }, 10s));
  });
}

TEST_CASE("fault 36: a request without an end, and a client that goes, harm nobody") {
  for_each_master([](uid_t user) {
    Cluster cluster(plain(user));
    const std::size_t fds = cluster.fds();
    const std::int64_t before = resident_kib(cluster.master().pid());
    {
      const UniqueFd endless = connect(cluster);
      const std::string piece(64 * 1024, ' ');
      std::size_t sent = 0;
      CHECK(eventually(
          [&] {
            const ssize_t got =
                ::send(endless.get(), piece.data(), piece.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
            if (got > 0) sent += static_cast<std::size_t>(got);
            return got < 0 && errno != EAGAIN;
          },
          20s));
      CHECK(sent < 16U * 1024 * 1024);
    }
    for (int i = 0; i < 200; ++i) {
      const UniqueFd fd = connect(cluster);
      const std::string many = "{\"verb\":\"status\"}\n{\"verb\":\"events\"}\n";
      (void)!::send(fd.get(), many.data(), many.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    CHECK(cluster.running(1));
    CHECK(eventually([&] { return cluster.fds() == fds; }, 20s));
    if (CLUSTERD_TEST_SCALE == 100) CHECK(resident_kib(cluster.master().pid()) - before < 6 * 1024);
  });
}

TEST_CASE("fault 36: a reload whose client is killed goes on") {
  for_each_master([](uid_t user) {
    Cluster cluster(plain(user));
    const TempDir dir;
    Program reload({clusterd_program(), "reload", cluster.conf()}, dir.path("out"),
                   dir.path("err"));
    REQUIRE(eventually(
        [&] { return read_file(dir.path("err")).find("begins") != std::string::npos; }, 20s));
    reload.signal(SIGKILL);
    CHECK(reload.wait(10s) != -1);
    CHECK(eventually(
        [&] {
          const auto status = cluster.status();
          return status && status->at("generation") == 2 && status->at("state") == "running";
        },
        20s));
  });
}
