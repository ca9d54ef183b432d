#include "config/defaults.h"
#include "config/keys.h"
#include "tests/support/config_summary.h"
#include "tests/support/config_texts.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <string>

using namespace clusterd;
using namespace clusterd::config;
using namespace clusterd::test;

namespace {

/// A listener that has a use for this key of [[listen]].
std::string address_for(std::string_view key) {
  if (key == "mode" || key == "owner" || key == "group") return "unix:/run/x";
  return key == "v6only" ? "[::1]:80" : "127.0.0.1:80";
}

bool is(const Key& key, std::string_view table, std::string_view name) {
  return key.table == table && key.name == name;
}

/// What only a server that inherits its sockets has.
bool is_of_fds(const Key& key) { return key.table == "worker.ready" || key.name == "stdin"; }

std::string listen_table(const Key& key, const std::string& line, bool has_address) {
  std::string text = "[[listen]]\n" + line;
  if (is_of_fds(key)) text += "name = 'http'\n";
  const std::string address = key.table == "listen" ? address_for(key.name) : "127.0.0.1:80";
  return has_address ? text : text + "address='" + address + "'\n";
}

std::string worker_table(const Key& key, const std::string& line, bool has_command) {
  std::string text = "[worker]\n" + line;
  if (is_of_fds(key)) text += "protocol = 'listen-fds'\n";
  return has_command ? text : text + "command = ['./web']\n";
}

std::string schedule_table(const Key& key, const std::string& line) {
  std::string text = "[[schedule]]\n" + line;
  if (key.name != "name") text += "name = 'tick'\n";
  if (key.name != "every" && key.name != "cron") text += "every = '1s'\n";
  return text;
}

/// What some keys are of no use without.
std::string what_goes_with(const Key& key) {
  if (key.name == "rotate") return "file = '/var/log/shop.log'\n";
  if (is(key, "agent", "group")) return "user = 'www-data'\n";
  return key.name == "listener" ? "tcp = true\n" : "";
}

/// A whole app.conf in which `key` has a value, on a line of its own, or none.
std::string with_key(const Key& key, const std::string& value) {
  const bool set = !value.empty();
  const std::string line = set ? "\n" + std::string(key.name) + " = " + value + "\n" : "";
  const auto at = [&](std::string_view table) { return key.table == table ? line : ""; };
  std::string text = at("");
  if (set && is(key, "", "group")) text += "user = 'www-data'\n";
  if (!set || key.name != "listen") {
    text += listen_table(key, at("listen"), set && is(key, "listen", "address"));
  }
  if (!set || !is(key, "", "worker")) {
    text += worker_table(key, at("worker"), set && is(key, "worker", "command"));
  }
  if (key.table == "schedule") text += schedule_table(key, at("schedule"));
  for (const std::string table :
       {"worker.ready", "worker.recycle", "agent", "restart", "restart.backoff", "reload",
        "control", "messages", "http", "log", "hooks"}) {
    const std::string inner = at(table);
    if (inner.empty()) continue;
    text.append("[").append(table).append("]\n").append(inner).append(what_goes_with(key));
  }
  return text;
}

Surroundings everything_is_there() {
  Surroundings around = surroundings();
  around.why_not_executable = [](const std::string&) { return std::string(); };
  around.why_not_folder = around.why_not_executable;
  return around;
}

}  // namespace

TEST_CASE("every key of the list is read") {
  for (const Key& key : keys()) {
    CAPTURE(key.table);
    CAPTURE(key.name);
    // No key takes a date.
    const std::string mistakes = bad(with_key(key, "1979-05-27"));
    CHECK(contains(mistakes, ": " + path_of(key.table, key.name) + ": expected "));
    CHECK(contains(mistakes, ", got a date or time"));
  }
}

TEST_CASE("every default of the list is the default, and every example is right") {
  for (const Key& key : keys()) {
    CAPTURE(key.table);
    CAPTURE(key.name);
    const std::string text = with_key(key, std::string(key.sample()));
    const Settings settings = good(text, everything_is_there());
    if (!key.example.empty()) continue;
    CHECK(summary(settings) == summary(good(with_key(key, ""), everything_is_there())));
  }
}

TEST_CASE("the list's tables and keys are in order, and each is there once") {
  for (const Key& key : keys()) {
    CHECK(find_key(key.table, key.name) == &key);
    CHECK(find_table(key.table) != nullptr);
    CHECK_FALSE(key.meaning.empty());
    CHECK(key.meaning.size() <= 66);  // clusterd init writes it at the end of a line
    CHECK_FALSE(contains(std::string(key.type) + std::string(key.meaning), "|"));
  }
  CHECK(find_key("worker", "backlog") == nullptr);
  CHECK(find_table("work") == nullptr);
  CHECK(path_of("", "workers") == "workers");
  CHECK(path_of("restart.backoff", "max") == "restart.backoff.max");
}

TEST_CASE("what --set can be completed to are keys that are no tables") {
  const std::string names = "\n" + keys_for_set();
  for (const char* name : {"workers", "worker.command", "worker.recycle.jitter", "hooks.giveup"}) {
    CHECK(names.find("\n" + std::string(name) + "\n") != std::string::npos);
  }
  for (const char* name : {"listen", "worker", "worker.recycle", "restart.backoff", "address"}) {
    CHECK(names.find("\n" + std::string(name) + "\n") == std::string::npos);
  }
}

TEST_CASE("docs/KEYS.md is up to date") {
  const auto root = std::filesystem::path(CLUSTERD_SOURCE_DIR);
  const Result<std::string> file = config::read_file(root / "docs/KEYS.md", 1U << 20U);
  REQUIRE(file.has_value());
  INFO("make it anew: clusterd keys > docs/KEYS.md");
  const bool same = *file == keys_markdown();
  CHECK(same);
}
