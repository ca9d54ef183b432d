#include "config/command_line.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

using namespace clusterd::config;

namespace {

Command read(const std::vector<const char*>& words) {
  std::vector<const char*> argv = {"clusterd"};
  argv.insert(argv.end(), words.begin(), words.end());
  const int argc = static_cast<int>(argv.size());
  argv.push_back(nullptr);
  return parse_command_line(argc, argv.data());
}

template <typename T>
T read_as(const std::vector<const char*>& words) {
  const Command command = read(words);
  REQUIRE(std::holds_alternative<T>(command));
  return std::get<T>(command);
}

/// What a usage error says, without what all of them say.
std::string usage_error(const std::vector<const char*>& words) {
  const auto printed = read_as<PrintAndExit>(words);
  CHECK(printed.code == 64);
  CHECK(std::count(printed.text.begin(), printed.text.end(), '\n') == 1);
  const std::string start = "clusterd: ";
  const std::string end = " see clusterd --help\n";
  REQUIRE(printed.text.starts_with(start));
  REQUIRE(printed.text.ends_with(end));
  return printed.text.substr(start.size(), printed.text.size() - start.size() - end.size());
}

std::string help(const std::vector<const char*>& words) {
  const auto printed = read_as<PrintAndExit>(words);
  CHECK(printed.code == 0);
  CHECK(printed.text.ends_with('\n'));
  return printed.text;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("start and check take a file") {
  CHECK(read_as<StartCommand>({"start", "app.conf"}).file == "app.conf");
  CHECK(read_as<CheckCommand>({"check", "a b.conf"}).file == "a b.conf");
}

TEST_CASE("start and check take --set as often as it is given") {
  CHECK(read_as<StartCommand>({"start", "app.conf"}).sets.empty());
  const auto start = read_as<StartCommand>(
      {"start", "--set", "workers=4", "app.conf", "--set=worker.command=[\"a\", \"b,c\"]", "--set",
       "worker.env.A= x=y ", "--set", "worker.env.A=", "--set", "", "--set", "{}"});
  CHECK(start.file == "app.conf");
  CHECK(start.sets == std::vector<std::string>{"workers=4", "worker.command=[\"a\", \"b,c\"]",
                                               "worker.env.A= x=y ", "worker.env.A=", "", "{}"});
  const auto check = read_as<CheckCommand>({"check", "app.conf", "--set", "workers=4"});
  CHECK(check.sets == std::vector<std::string>{"workers=4"});
  CHECK(contains(usage_error({"start", "app.conf", "--set"}), "--set"));
  CHECK(usage_error({"start", "--set", "app.conf"}) == "start: FILE is missing;");
  CHECK(usage_error({"start", "--ste", "a=b", "f"}) ==
        R"(start: unknown option "--ste"; did you mean "--set"?)");
  CHECK(usage_error({"status", "--set", "a=b", "f"}) == R"(status: unknown option "--set";)");
}

TEST_CASE("init takes a worker and a file, and needs neither") {
  CHECK(read_as<InitCommand>({"init"}).file == "app.conf");
  CHECK(read_as<InitCommand>({"init"}).worker.empty());
  const auto init = read_as<InitCommand>({"init", "--worker", "./server -p 80", "shop.conf"});
  CHECK(init.file == "shop.conf");
  CHECK(init.worker == "./server -p 80");
  CHECK(usage_error({"init", ""}) == "init: FILE is empty;");
  CHECK(usage_error({"init", "a", "b"}) == R"(init: unexpected argument "b";)");
  CHECK(usage_error({"init", "--wroker", "a"}) ==
        R"(init: unknown option "--wroker"; did you mean "--worker"?)");
}

TEST_CASE("keys is a command that no help names") {
  CHECK(std::holds_alternative<KeysCommand>(read({"keys"})));
  CHECK_FALSE(contains(help({"--help"}), "keys"));
  CHECK(usage_error({"keys", "a"}) == R"(keys: unexpected argument "a";)");
}

TEST_CASE("a file may be called like a command or like an option") {
  CHECK(read_as<StartCommand>({"start", "stop"}).file == "stop");
  CHECK(read_as<StartCommand>({"start", "start"}).file == "start");
  CHECK(read_as<CheckCommand>({"check", "--", "--json"}).file == "--json");
}

TEST_CASE("status takes a file or a socket") {
  const auto by_file = read_as<StatusCommand>({"status", "app.conf"});
  CHECK(by_file.target.file == "app.conf");
  CHECK(by_file.target.socket.empty());
  CHECK_FALSE(by_file.json);

  for (const auto& words :
       std::vector<std::vector<const char*>>{{"status", "--json", "--socket", "/run/ctl.sock"},
                                             {"status", "--socket=/run/ctl.sock", "--json"}}) {
    const auto by_socket = read_as<StatusCommand>(words);
    CHECK(by_socket.target.file.empty());
    CHECK(by_socket.target.socket == "/run/ctl.sock");
    CHECK(by_socket.json);
  }
}

TEST_CASE("stop drains and waits unless told otherwise") {
  const auto plain = read_as<StopCommand>({"stop", "app.conf"});
  CHECK(plain.target.file == "app.conf");
  CHECK_FALSE(plain.now);
  CHECK(plain.wait);

  const auto other = read_as<StopCommand>({"stop", "--now", "--socket", "s", "--no-wait"});
  CHECK(other.target.socket == "s");
  CHECK(other.now);
  CHECK_FALSE(other.wait);
}

TEST_CASE("the version is a command and an option") {
  CHECK(help({"version"}) == "clusterd 0.1.0\n");
  CHECK(help({"--version"}) == "clusterd 0.1.0\n");
}

TEST_CASE("help names every command, and a command's help its options") {
  const std::string all = help({"--help"});
  for (const char* command : {"start", "check", "init", "status", "stop", "version"}) {
    CAPTURE(command);
    CHECK(contains(all, std::string("\n  ") + command + " "));
    CHECK(contains(help({command, "--help"}), std::string("Usage: clusterd ") + command));
  }
  CHECK(help({"-h"}) == all);
  CHECK(contains(help({"start", "--help"}), "Usage: clusterd start [OPTIONS] FILE\n"));
  CHECK(contains(help({"start", "--help"}), "--set KEY=VALUE"));
  CHECK(contains(help({"init", "--help"}), "Usage: clusterd init [OPTIONS] [FILE]\n"));
  CHECK(contains(help({"init", "--help"}), "--worker COMMAND"));
  CHECK(contains(help({"status", "--help"}), "--json"));
  CHECK(contains(help({"status", "--help"}), "--socket PATH"));
  CHECK(contains(help({"stop", "app.conf", "-h"}), "--now"));
  CHECK(contains(help({"stop", "--help"}), "--no-wait"));
}

TEST_CASE("a missing command is a usage error") {
  CHECK(usage_error({}) == "a command is missing;");
  CHECK(usage_error({""}) == R"(unknown command "";)");
  const char* const none[] = {nullptr};
  CHECK(std::get<PrintAndExit>(parse_command_line(0, none)).code == 64);
}

TEST_CASE("an unknown command suggests the nearest") {
  CHECK(usage_error({"strat", "app.conf"}) == R"(unknown command "strat"; did you mean "start"?)");
  CHECK(usage_error({"Status"}) == R"(unknown command "Status"; did you mean "status"?)");
  CHECK(usage_error({"reload", "app.conf"}) == R"(unknown command "reload";)");
  CHECK(usage_error({"foo", "start", "app.conf"}) == R"(unknown command "foo";)");
  CHECK(usage_error({"line\nbreak"}) == R"(unknown command "line\x0abreak";)");
}

TEST_CASE("an unknown option suggests the nearest of its command") {
  CHECK(usage_error({"--verison"}) == R"(unknown option "--verison"; did you mean "--version"?)");
  CHECK(usage_error({"-x"}) == R"(unknown option "-x";)");
  CHECK(usage_error({"--now", "stop", "a"}) == R"(unknown option "--now";)");
  CHECK(usage_error({"status", "--jsn", "a"}) ==
        R"(status: unknown option "--jsn"; did you mean "--json"?)");
  CHECK(usage_error({"status", "--sokcet", "a", "b"}) ==
        R"(status: unknown option "--sokcet"; did you mean "--socket"?)");
  CHECK(usage_error({"stop", "--sokcet=a"}) ==
        R"(stop: unknown option "--sokcet=a"; did you mean "--socket"?)");
  CHECK(usage_error({"stop", "--no_wait", "a"}) ==
        R"(stop: unknown option "--no_wait"; did you mean "--no-wait"?)");
  CHECK(usage_error({"start", "--daemon", "a"}) == R"(start: unknown option "--daemon";)");
  CHECK(usage_error({"start", "--jsn"}) == R"(start: unknown option "--jsn";)");
}

TEST_CASE("a missing file and one too many are usage errors") {
  CHECK(usage_error({"start"}) == "start: FILE is missing;");
  CHECK(usage_error({"start", ""}) == "start: FILE is missing;");
  CHECK(usage_error({"check"}) == "check: FILE is missing;");
  CHECK(usage_error({"start", "a", "b"}) == R"(start: unexpected argument "b";)");
  CHECK(usage_error({"check", "a", "check"}) == R"(check: unexpected argument "check";)");
  CHECK(usage_error({"version", "a"}) == R"(version: unexpected argument "a";)");
}

TEST_CASE("status and stop need exactly one of file and socket") {
  for (const char* command : {"status", "stop"}) {
    const std::string expected = std::string(command) + ": expected either FILE or --socket PATH;";
    CHECK(usage_error({command}) == expected);
    CHECK(usage_error({command, "--socket", "s", "app.conf"}) == expected);
    CHECK(usage_error({command, "--socket", ""}) == expected);
  }
}

TEST_CASE("an option without its value, or twice, is a usage error") {
  CHECK(contains(usage_error({"stop", "--socket"}), "--socket"));
  CHECK(contains(usage_error({"stop", "--socket", "a", "--socket", "b"}), "--socket"));
  CHECK(contains(usage_error({"status", "--json=perhaps", "a"}), "--json"));
}
