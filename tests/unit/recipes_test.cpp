#include "config/recipes.h"

#include "config/defaults.h"
#include "config/known_programs.h"
#include "master/ctl/verbs.h"
#include "tests/support/config_texts.h"
#include "tests/support/temp_dir.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <regex>
#include <string>
#include <vector>

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
    const bool speaks = recipe.name == "node" || recipe.name == "egg" || recipe.name == "python";
    CHECK(settings.worker.protocol == (speaks ? Protocol::node : Protocol::listen_fds));
    CHECK((settings.worker.ready.when == Ready::When::automatic) == speaks);
    // Who says auto, or nothing, gets the same.
    const bool known = recipe.name != "go" && recipe.name != "java" && recipe.name != "python";
    CHECK((protocol_of(settings.worker.command) == settings.worker.protocol) == known);
    CHECK(find_recipe(recipe.name) == &recipe);
  }
  CHECK(find_recipe("gunicorn2") == nullptr);
  CHECK(find_recipe("") == nullptr);
}

TEST_CASE("what is commented out in a recipe is right where the names exist") {
  Surroundings around = surroundings();
  around.why_not_executable = [](const std::string&) { return std::string(); };
  around.why_not_folder = [](const std::string&) { return std::string(); };
  for (const Recipe& recipe : recipes()) {
    CAPTURE(recipe.name);
    std::string text(recipe.files[0].text);
    text = std::regex_replace(text, std::regex("# (user|cwd) = "), "$1 = ");
    text = std::regex_replace(text, std::regex("user = \"(shop|haproxy)\""), "user = \"alice\"");
    const Settings settings = good(text, around);
    CHECK(settings.worker.cwd == "/srv/shop");
    CHECK(settings.user.has_value());
  }
}

TEST_CASE("headings of one small word in docs/recipes.md are the recipes, as completions want it") {
  const std::string text = recipes_markdown();
  std::vector<std::string> names;
  const std::regex heading("\n## ([a-z][-a-z]*)\n");
  for (std::sregex_iterator at(text.begin(), text.end(), heading), end; at != end; ++at) {
    names.push_back((*at)[1]);
  }
  std::vector<std::string> wanted;
  for (const Recipe& recipe : recipes()) wanted.emplace_back(recipe.name);
  CHECK(names == wanted);
}

TEST_CASE("a recipe says what has to be done first") {
  CHECK(first_steps(*find_recipe("go")) ==
        std::vector<std::string>{"go build -o server server.go"});
  CHECK(first_steps(*find_recipe("gunicorn")).empty());
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
