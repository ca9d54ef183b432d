#include "config/init_text.h"
#include "config/keys.h"
#include "master/ctl/verbs.h"
#include "tests/support/config_texts.h"
#include "tests/support/temp_dir.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <sstream>
#include <string>
#include <sys/stat.h>
#include <vector>

using namespace clusterd;
using namespace clusterd::config;
using namespace clusterd::test;

namespace {

using Words = std::vector<std::string>;

Words words(const std::string& command) {
  const auto split = split_words(command);
  REQUIRE(split.has_value());
  return *split;
}

std::string why_not(const std::string& command) {
  const auto split = split_words(command);
  REQUIRE_FALSE(split.has_value());
  return split.error().message();
}

Settings parsed(const std::string& text, const std::string& file = "/etc/shop/app.conf") {
  Surroundings around = surroundings(file);
  around.why_not_executable = [](const std::string&) { return std::string(); };
  return good(text, around);
}

/// The text with the # taken off every key that a TCP address over IPv4 may have.
std::string with_every_key(const std::string& text) {
  std::istringstream in(text);
  std::string result;
  for (std::string line; std::getline(in, line);) {
    const bool key = line.starts_with("# ") && contains(line, " = ");
    const bool other = contains(line, "# unix:") || contains(line, "# IPv6:") ||
                       contains(line, "# listen-fds:") || contains(line, "# or:");
    const bool heading = line == "# [[schedule]]";
    result += ((key && !other) || heading ? line.substr(2) : line) + "\n";
  }
  return result;
}

}  // namespace

TEST_CASE("a command is split as a shell would, without the rest of a shell") {
  CHECK(words("./server") == Words{"./server"});
  CHECK(words("  a \t b\nc  ") == Words{"a", "b", "c"});
  CHECK(words("'a b' \"c d\" e\\ f") == Words{"a b", "c d", "e f"});
  CHECK(words("a'b'\"c\"d") == Words{"abcd"});
  CHECK(words("''a\"\"") == Words{"a"});
  CHECK(words(R"("a\"b\\c\d" 'e\f' \'g)") == Words{R"(a"b\c\d)", R"(e\f)", "'g"});
  CHECK(words("a $HOME *.txt ~ ; b | c # d") ==
        Words{"a", "$HOME", "*.txt", "~", ";", "b", "|", "c", "#", "d"});
  CHECK(words("ü") == Words{"ü"});
  CHECK(why_not("") == "it names no program");
  CHECK(why_not("  \t") == "it names no program");
  CHECK(why_not("'' a") == "a word is empty");
  CHECK(why_not("a \"\"") == "a word is empty");
  CHECK(why_not("a 'b") == "a quote is not closed");
  CHECK(why_not("a \"b\\\"") == "a quote is not closed");
  CHECK(why_not("a\\") == "a backslash takes nothing");
  CHECK(why_not("a\xff") == "it is not UTF-8");
}

TEST_CASE("a new app.conf is right for any command and any file") {
  const std::vector<Words> commands = {{},
                                       {"./server"},
                                       {"node", "server.js", "--port=80"},
                                       {"a\"b\\c'd", "e\n\t\x1b", "ü # x", " "}};
  for (const Words& command : commands) {
    for (const std::string file : {"app.conf", "/x/my app.conf", ".conf", "a\"b", "shop"}) {
      const Settings settings = parsed(init_text(file, command));
      CHECK(settings.worker.command == (command.empty() ? Words{"./server"} : command));
      CHECK(settings.listen.size() == 1);
      CHECK(settings.workers_reason == surroundings().cpus_reason);
    }
  }
  CHECK(parsed(init_text("shop.conf", {}), "/x/shop.conf").name == "shop");
  CHECK(parsed(init_text("my shop.conf", {}), "/x/my shop.conf").name == "app");
}

TEST_CASE("a new app.conf has every key, and each can be put to use") {
  const std::string text = init_text("app.conf", {});
  for (const Key& key : keys()) {
    if (find_table(path_of(key.table, key.name)) != nullptr || key.table == "restart.backoff" ||
        key.table == "worker.ready") {
      continue;
    }
    CAPTURE(key.name);
    CHECK(contains(text, std::string(key.name) + " = "));
  }
  const Settings settings = parsed(with_every_key(text));
  CHECK(settings.control.socket == "/etc/shop/ctl.sock");
  CHECK(settings.worker.nofile == 65536);
  CHECK(settings.name == "app");
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) CHECK(line.size() <= 100);
}

TEST_CASE("init writes a file, and never over one") {
  const TempDir folder;
  const std::string file = folder.path("shop.conf");
  CHECK(ctl::run(config::InitCommand{file, "/bin/true -v"}) == 0);
  const std::string written = clusterd::test::read_file(file);
  CHECK(written == init_text(file, Words{"/bin/true", "-v"}));
  struct stat status{};
  REQUIRE(::stat(file.c_str(), &status) == 0);
  CHECK((status.st_mode & 07133U) == 0);
  CHECK((status.st_mode & 0600U) == 0600);
  CHECK(std::holds_alternative<Settings>(load(file)));

  CHECK(ctl::run(config::InitCommand{file, "./other"}) == 71);
  CHECK(clusterd::test::read_file(file) == written);
  CHECK(ctl::run(config::InitCommand{folder.path("none/app.conf"), ""}) == 71);
  CHECK(ctl::run(config::InitCommand{folder.path("app.conf"), "a 'b"}) == 64);
  CHECK(::stat(folder.path("app.conf").c_str(), &status) != 0);
  // The program may come later.
  CHECK(ctl::run(config::InitCommand{folder.path("app.conf"), "./none"}) == 0);
}
