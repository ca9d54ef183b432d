#include "master/runtime/generations.h"

#include "master/runtime/open_listener.h"
#include "tests/support/temp_dir.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <utility>
#include <vector>

namespace clusterd::runtime {
namespace {

config::Settings with_mode(const std::string& path, unsigned mode) {
  config::Listen listen;
  listen.name = "http";
  listen.kind = config::Listen::Kind::unix_socket;
  listen.path = path;
  listen.mode = mode;
  config::Settings settings;
  settings.listen.push_back(listen);
  return settings;
}

unsigned mode_of(const std::string& path) {
  return static_cast<unsigned>(std::filesystem::status(path).permissions());
}

}  // namespace

TEST_CASE("what a generation that failed made of a shared socket is undone") {
  const test::TempDir dir;
  const std::string path = dir.path("http.sock");
  const config::Settings before = with_mode(path, 0600);
  auto listener = open_listener(before.listen[0]);
  REQUIRE(listener);
  std::vector<os::Listener> listeners;
  listeners.push_back(std::move(*listener));
  Generations generations(Generation{1}, before, std::move(listeners));

  const auto opened = generations.add(Generation{2}, with_mode(path, 0666), Generation{1});
  REQUIRE(opened);
  REQUIRE(opened->size() == 1);
  CHECK(mode_of(path) == 0666);

  generations.restore(Generation{1});
  CHECK(mode_of(path) == 0600);
  for (const auto index : generations.forget(Generation{2})) generations.close(index);
  CHECK(mode_of(path) == 0600);
}

TEST_CASE("what a worker wanted is there as long as a generation that wanted it") {
  const test::TempDir dir;
  const config::Settings settings = with_mode(dir.path("a.sock"), 0600);
  auto listener = open_listener(settings.listen[0]);
  REQUIRE(listener.has_value());
  std::vector<os::Listener> listeners;
  listeners.push_back(std::move(*listener));
  constexpr Generation kFirst{1};
  constexpr Generation kSecond{2};
  constexpr Generation kThird{3};
  Generations generations(kFirst, settings, std::move(listeners));
  config::Listen wanted = settings.listen[0];
  wanted.name = wanted.path = dir.path("b.sock");
  const auto index = generations.add_wanted(kFirst, wanted);
  REQUIRE(index.has_value());
  CHECK(*generations.add_wanted(kFirst, wanted) == *index);
  REQUIRE(generations.add(kSecond, settings, kFirst).has_value());
  CHECK_FALSE(generations.has(kSecond, *index));
  CHECK(*generations.add_wanted(kSecond, wanted) == *index);
  CHECK(generations.forget(kFirst).empty());
  REQUIRE(generations.add(kThird, settings, kSecond).has_value());
  CHECK(generations.forget(kSecond) == std::vector<Generations::Index>{*index});
  CHECK(generations.has(kThird, 0));
}

TEST_CASE("a name without a file is opened for a worker too") {
  const test::TempDir dir;
  config::Listen listen;
  listen.kind = config::Listen::Kind::unix_socket;
  listen.path = "@" + dir.path("name");
  const auto opened = open_listener(listen);
  REQUIRE(opened.has_value());
  CHECK(opened->text() == "unix:" + listen.path);
  const auto again = open_listener(listen);
  REQUIRE_FALSE(again.has_value());
  CHECK(again.error().code == std::errc::address_in_use);
}

}  // namespace clusterd::runtime
