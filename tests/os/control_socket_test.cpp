#include "master/os/control_socket.h"

#include "tests/support/eventually.h"
#include "tests/support/temp_dir.h"

#include <doctest/doctest.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <future>
#include <optional>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace clusterd::os {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;
using test::eventually;
using test::TempDir;

UnixListener open(const std::string& path) {
  auto socket = open_control_socket({path});
  REQUIRE(socket.has_value());
  return std::move(*socket);
}

std::string refusal_of(const std::string& path) {
  const auto socket = open_control_socket({path});
  REQUIRE_FALSE(socket.has_value());
  return socket.error().message();
}

struct stat look_at(const std::string& path) {
  struct stat status{};
  CHECK(::lstat(path.c_str(), &status) == 0);
  return status;
}

mode_t mode_of(const std::string& path) { return look_at(path).st_mode & 07777U; }

bool exists(const std::string& path) { return fs::exists(fs::symlink_status(path)); }

/// A socket at `path` that is not the code's own; with a backlog it listens.
UniqueFd bind_at(const std::string& path, std::optional<int> backlog = {}, int type = SOCK_STREAM) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  REQUIRE(path.size() < sizeof address.sun_path);
  std::memcpy(address.sun_path, path.data(), path.size());
  UniqueFd fd(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
  REQUIRE(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  if (backlog) REQUIRE(::listen(fd.get(), *backlog) == 0);
  return fd;
}

/// The umask of an operator who shares everything, or nothing.
class Umask {
 public:
  explicit Umask(mode_t mask) : before_(::umask(mask)) {}
  ~Umask() { ::umask(before_); }
  Umask(const Umask&) = delete;
  Umask& operator=(const Umask&) = delete;

 private:
  mode_t before_;
};

}  // namespace

TEST_CASE("a control socket is its owner's alone, in folders of its owner's alone") {
  const TempDir dir;
  for (const mode_t mask : {0000U, 0022U, 0077U}) {
    CAPTURE(mask);
    const Umask umask(mask);
    const std::string folder = dir.path(std::to_string(mask));
    const std::string path = folder + "/inner/ctl.sock";
    const UnixListener socket = open(path);
    CHECK(S_ISSOCK(look_at(path).st_mode));
    CHECK(mode_of(path) == 0600);
    CHECK(mode_of(folder) == 0700);
    CHECK(mode_of(folder + "/inner") == 0700);
    CHECK((::umask(mask) & 0777U) == mask);
  }
}

TEST_CASE("a folder that was there already keeps its mode") {
  const TempDir dir;
  const std::string folder = dir.path("run");
  REQUIRE(::mkdir(folder.c_str(), 0755) == 0);
  REQUIRE(::chmod(folder.c_str(), 0755) == 0);
  const UnixListener socket = open(folder + "/ctl.sock");
  CHECK(mode_of(folder) == 0755);
}

TEST_CASE("both ends know whom they talk to") {
  const TempDir dir;
  const UnixListener socket = open(dir.path("ctl.sock"));
  const auto client = connect_unix(dir.path("ctl.sock"), 0);
  REQUIRE(client.has_value());
  const UniqueFd served(::accept4(socket.fd(), nullptr, nullptr, SOCK_CLOEXEC));
  REQUIRE(served.get() >= 0);
  for (const int fd : {client->get(), served.get()}) {
    const auto peer = peer_of(fd);
    REQUIRE(peer.has_value());
    CHECK(peer->pid == ::getpid());
    CHECK(peer->uid == ::geteuid());
  }
}

TEST_CASE("a socket that nobody listens on any more is taken over") {
  const TempDir dir;
  const std::string path = dir.path("ctl.sock");
  SUBCASE("its owner died") { bind_at(path, 1).reset(); }
  SUBCASE("its owner never came to listen") { bind_at(path).reset(); }
  REQUIRE(exists(path));
  const UnixListener socket = open(path);
  CHECK(connect_unix(path, 0).has_value());
  CHECK(mode_of(path) == 0600);
}

TEST_CASE("a second master is refused with the first one's pid, and takes nothing from it") {
  const TempDir dir;
  const std::string path = dir.path("ctl.sock");
  const UnixListener first = open(path);
  const ino_t inode = look_at(path).st_ino;
  const auto second = open_control_socket({path});
  REQUIRE_FALSE(second.has_value());
  CHECK(second.error().code == std::errc::address_in_use);
  CHECK(second.error().message().find(std::to_string(::getpid())) != std::string::npos);
  CHECK(second.error().message().find(path) != std::string::npos);
  CHECK(look_at(path).st_ino == inode);
  CHECK(connect_unix(path, 0).has_value());
}

TEST_CASE("a second master does not wait for a first one that has stopped accepting") {
  const TempDir dir;
  const std::string path = dir.path("ctl.sock");
  UniqueFd first = bind_at(path, 0);
  const auto waiting = connect_unix(path, 0);  // the backlog is full with it
  REQUIRE(waiting.has_value());
  auto second =
      std::async(std::launch::async, [&path] { return open_control_socket({path}).has_value(); });
  const bool answered =
      eventually([&] { return second.wait_for(0s) == std::future_status::ready; }, 10s);
  CHECK(answered);
  if (!answered) first.reset();  // lets it go
  const bool taken = second.get();
  if (answered) CHECK_FALSE(taken);
}

TEST_CASE("whatever else is at the path is refused and left as it is") {
  const TempDir dir;
  const std::string path = dir.path("ctl.sock");
  SUBCASE("a file") {
    dir.write("ctl.sock", "precious");
    CHECK(refusal_of(path).find(path) != std::string::npos);
    CHECK(test::read_file(path) == "precious");
  }
  SUBCASE("a folder") {
    REQUIRE(::mkdir(path.c_str(), 0700) == 0);
    CHECK(refusal_of(path).find(path) != std::string::npos);
    CHECK(S_ISDIR(look_at(path).st_mode));
  }
  SUBCASE("a symbolic link to a file") {
    const std::string target = dir.write("target", "precious");
    fs::create_symlink(target, path);
    CHECK(refusal_of(path).find(path) != std::string::npos);
    CHECK(fs::read_symlink(path) == target);
    CHECK(test::read_file(target) == "precious");
  }
  SUBCASE("a symbolic link to a dead socket") {
    bind_at(dir.path("target"), 1).reset();
    fs::create_symlink(dir.path("target"), path);
    CHECK(refusal_of(path).find(path) != std::string::npos);
    CHECK(fs::read_symlink(path) == dir.path("target"));
    CHECK(exists(dir.path("target")));
  }
  SUBCASE("a symbolic link to nothing") {
    fs::create_symlink(dir.path("missing"), path);
    CHECK(refusal_of(path).find(path) != std::string::npos);
    CHECK(fs::read_symlink(path) == dir.path("missing"));
    CHECK_FALSE(exists(dir.path("missing")));
  }
  SUBCASE("a socket of another kind, in use") {
    const UniqueFd datagrams = bind_at(path, {}, SOCK_DGRAM);
    const ino_t inode = look_at(path).st_ino;
    CHECK(refusal_of(path).find(path) != std::string::npos);
    CHECK(look_at(path).st_ino == inode);
  }
}

TEST_CASE("a path that the kernel cannot hold is refused before anything is made") {
  const TempDir dir;
  const std::string longest = dir.path(std::string(107 - dir.path("").size(), 'x'));
  REQUIRE(longest.size() == 107);
  {
    const UnixListener socket = open(longest);
  }
  CHECK(refusal_of(longest + "x").find("107") != std::string::npos);
  const std::string folder = dir.path("folder");
  refusal_of(folder + "/" + std::string(200, 'x'));
  CHECK_FALSE(exists(folder));
  refusal_of("");
}

TEST_CASE("a folder where others could put a socket of their own is refused") {
  const TempDir dir;
  const std::string folder = dir.path("run");
  const std::string path = folder + "/ctl.sock";
  REQUIRE(::mkdir(folder.c_str(), 0700) == 0);
  for (const mode_t mode : {0777U, 0770U, 0702U}) {
    CAPTURE(mode);
    REQUIRE(::chmod(folder.c_str(), mode) == 0);
    CHECK(refusal_of(path).find(folder) != std::string::npos);
    CHECK(fs::is_empty(folder));
    CHECK(mode_of(folder) == mode);
  }
  REQUIRE(::chmod(folder.c_str(), 01777) == 0);  // as /tmp: what is there can only be ours
  CHECK(open_control_socket({path}).has_value());
}

TEST_CASE("a folder that is a file is refused") {
  const TempDir dir;
  const std::string file = dir.write("file", "precious");
  refusal_of(file + "/ctl.sock");
  refusal_of(file + "/inner/ctl.sock");
  CHECK(test::read_file(file) == "precious");
}

TEST_CASE("the socket is unlinked at the end if it is still the one that was made") {
  const TempDir dir;
  const std::string path = dir.path("ctl.sock");
  std::optional<UnixListener> socket;
  SUBCASE("it is") {
    socket.emplace(open(path));
    socket.reset();
    CHECK_FALSE(exists(path));
  }
  SUBCASE("it is, and the object was moved") {
    socket.emplace(open(path));
    auto moved = std::make_optional<UnixListener>(std::move(*socket));
    socket.reset();
    CHECK(exists(path));
    CHECK(connect_unix(path, 0).has_value());
    moved.reset();
    CHECK_FALSE(exists(path));
  }
  SUBCASE("another took its place") {
    socket.emplace(open(path));
    REQUIRE(::unlink(path.c_str()) == 0);
    const UnixListener other = open(path);
    socket.reset();
    CHECK(connect_unix(path, 0).has_value());
  }
  SUBCASE("a file took its place") {
    socket.emplace(open(path));
    REQUIRE(::unlink(path.c_str()) == 0);
    dir.write("ctl.sock", "precious");
    socket.reset();
    CHECK(test::read_file(path) == "precious");
  }
  SUBCASE("it is gone already") {
    socket.emplace(open(path));
    REQUIRE(::unlink(path.c_str()) == 0);
    socket.reset();
    CHECK_FALSE(exists(path));
  }
}

}  // namespace clusterd::os
