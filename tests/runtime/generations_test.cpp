#include "master/runtime/generations.h"

#include "master/runtime/open_listener.h"
#include "tests/support/temp_dir.h"

#include <doctest/doctest.h>

#include <filesystem>

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

}  // namespace clusterd::runtime
