#include "config/recipes.h"

#include "config/defaults.h"
#include "config/known_programs.h"
#include "master/ctl/verbs.h"
#include "tests/support/config_texts.h"
#include "tests/support/temp_dir.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <string>

using namespace clusterd;
using namespace clusterd::config;
using namespace clusterd::test;

TEST_CASE("docs/recipes.md is up to date") {
  const auto root = std::filesystem::path(CLUSTERD_SOURCE_DIR);
  const Result<std::string> file = config::read_file(root / "docs/recipes.md", 1U << 20U);
  REQUIRE(file.has_value());
  INFO("make it anew: clusterd keys --recipes > docs/recipes.md");
  const bool same = *file == recipes_markdown();
  CHECK(same);
}

TEST_CASE("every recipe is right where its server is installed") {
  Surroundings around = surroundings();
  around.why_not_executable = [](const std::string&) { return std::string(); };
  for (const Recipe& recipe : recipes()) {
    CAPTURE(recipe.name);
    REQUIRE(recipe.files[0].name == "app.conf");
    const Settings settings = good(std::string(recipe.files[0].text), around);
    CHECK(settings.worker.protocol == Protocol::listen_fds);
    CHECK(settings.worker.ready.when != Ready::When::automatic);
    // Who says auto, or nothing, gets the same.
    const bool known = recipe.name != "go" && recipe.name != "java";
    CHECK((protocol_of(settings.worker.command) == Protocol::listen_fds) == known);
    CHECK(find_recipe(recipe.name) == &recipe);
  }
  CHECK(find_recipe("gunicorn2") == nullptr);
  CHECK(find_recipe("") == nullptr);
}

TEST_CASE("init writes a recipe with all its files, and never over one") {
  const TempDir folder;
  const std::string file = folder.path("web.conf");
  folder.write("haproxy.cfg", "mine");
  const Recipe& recipe = *find_recipe("haproxy");
  REQUIRE(recipe.files.size() == 2);
  CHECK(ctl::run(config::InitCommand{file, "haproxy"}) == 0);
  CHECK(clusterd::test::read_file(file) == recipe.files[0].text);
  CHECK(clusterd::test::read_file(folder.path("haproxy.cfg")) == "mine");
  CHECK(ctl::run(config::InitCommand{file, "nginx"}) == 71);
  CHECK(clusterd::test::read_file(folder.path("nginx.conf")).empty());

  const std::string other = folder.path("other.conf");
  CHECK(ctl::run(config::InitCommand{other, "nginx"}) == 0);
  CHECK(clusterd::test::read_file(folder.path("nginx.conf")) ==
        find_recipe("nginx")->files[1].text);
}
