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

TEST_CASE("schedule lists, or runs one by its name") {
  const auto list = read_as<ScheduleCommand>({"schedule", "list", "app.conf", "--json"});
  CHECK(list.target.file == "app.conf");
  CHECK(list.run.empty());
  CHECK(list.json);
  CHECK(read_as<ScheduleCommand>({"schedule", "list", "--socket", "s"}).target.socket == "s");
  const auto now = read_as<ScheduleCommand>({"schedule", "run", "refresh", "app.conf"});
  CHECK(now.run == "refresh");
  CHECK(now.target.file == "app.conf");
  CHECK(now.wait);
  CHECK_FALSE(
      read_as<ScheduleCommand>({"schedule", "run", "list", "--socket", "s", "--no-wait"}).wait);
  CHECK(usage_error({"schedule", "run", "--socket", "s"}) ==
        "schedule: expected the NAME of a schedule;");
  CHECK(usage_error({"schedule", "run", "refresh"}) ==
        "schedule: expected either FILE or --socket PATH;");
  CHECK(usage_error({"schedule", "list", "a", "b"}) == "schedule: unexpected argument \"a\";");
  CHECK(usage_error({"schedule", "lst", "a"}) ==
        "schedule: unknown action \"lst\"; did you mean \"list\"?");
  CHECK(usage_error({"schedule"}) == "schedule: expected list or run;");
}

TEST_CASE("send takes whom, what and where") {
  auto command = read_as<SendCommand>({"send", "refresh", "app.conf"});
  CHECK(command.action == "refresh");
  CHECK(command.json.empty());
  CHECK(command.target.file == "app.conf");
  CHECK((command.to == clusterd::Recipient{clusterd::Recipient::Kind::all, 0}));
  CHECK_FALSE(command.timeout_ms.has_value());
  command = read_as<SendCommand>({"send", "--to", "3", "refresh", R"({"a":1})", "app.conf"});
  CHECK(command.json == R"({"a":1})");
  CHECK(command.target.file == "app.conf");
  CHECK((command.to == clusterd::Recipient{clusterd::Recipient::Kind::slot, 3}));
  command = read_as<SendCommand>(
      {"send", "refresh", "7", "--socket", "/s", "--to=pid:42", "--wait=1500ms"});
  CHECK(command.json == "7");
  CHECK(command.target.socket == "/s");
  CHECK((command.to == clusterd::Recipient{clusterd::Recipient::Kind::pid, 42}));
  CHECK(command.timeout_ms == 1500);
  CHECK(read_as<SendCommand>({"send", "a", "-5", "app.conf"}).json == "-5");
  CHECK((read_as<SendCommand>({"send", "--to", "random", "a", "f"}).to.kind ==
         clusterd::Recipient::Kind::random));
}

TEST_CASE("send says which of its words is wrong") {
  CHECK(usage_error({"send"}) == "send: ACTION is missing;");
  CHECK(usage_error({"send", "refresh"}) == "send: expected either FILE or --socket PATH;");
  for (const char* word : {"everybody", "-1", "+1", "pid:", "pid:x", "pid:0", "1x"}) {
    CAPTURE(word);
    CHECK(contains(usage_error({"send", "--to", word, "a", "f"}), "send: --to: expected \"all\""));
  }
  CHECK(
      contains(usage_error({"send", "--to=1", "--wait=soon", "a", "f"}), "send: --wait: expected"));
  CHECK(contains(usage_error({"send", "--to=1", "--wait=0s", "a", "f"}), "send: --wait: expected"));
  CHECK(usage_error({"send", "--wait=1s", "a", "f"}) ==
        "send: --wait is for one receiver; --to says which;");
  CHECK(contains(usage_error({"send", "a", "1", "f", "g"}), "unexpected argument"));
}

TEST_CASE("start and check take --set as often as it is given") {
  CHECK(read_as<StartCommand>({"start", "app.conf"}).sets.empty());
  CHECK_FALSE(read_as<StartCommand>({"start", "app.conf"}).daemon);
  CHECK(read_as<StartCommand>({"start", "--daemon", "app.conf"}).daemon);
  CHECK(read_as<StartCommand>({"start", "app.conf", "-d"}).daemon);
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
  CHECK_FALSE(read_as<KeysCommand>({"keys"}).names);
  CHECK(read_as<KeysCommand>({"keys", "--names"}).names);
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

TEST_CASE("reload and restart wait unless told otherwise") {
  const auto reload = read_as<ReloadCommand>({"reload", "app.conf"});
  CHECK(reload.target.file == "app.conf");
  CHECK_FALSE(reload.dry_run);
  CHECK(reload.wait);
  const auto other = read_as<ReloadCommand>({"reload", "--no-wait", "--socket", "s", "--dry-run"});
  CHECK(other.target.socket == "s");
  CHECK(other.dry_run);
  CHECK_FALSE(other.wait);
  CHECK(read_as<RestartCommand>({"restart", "app.conf"}).wait);
  CHECK_FALSE(read_as<RestartCommand>({"restart", "app.conf", "--no-wait"}).wait);
  CHECK(usage_error({"restart", "--dry-run", "a"}) == R"(restart: unknown option "--dry-run";)");
  CHECK(usage_error({"reload", "--dryrun", "a"}) ==
        R"(reload: unknown option "--dryrun"; did you mean "--dry-run"?)");
}

TEST_CASE("scale takes how many workers, how many more, or how many fewer") {
  const auto scaled = [](const std::vector<const char*>& words) {
    const auto scale = read_as<ScaleCommand>(words);
    CHECK(scale.target.file + scale.target.socket == "x");
    return (scale.relative ? "by " : "to ") + std::to_string(scale.number);
  };
  CHECK(scaled({"scale", "6", "x"}) == "to 6");
  CHECK(scaled({"scale", "+2", "x"}) == "by 2");
  CHECK(scaled({"scale", "-1", "x"}) == "by -1");
  CHECK(scaled({"scale", "-12", "--no-wait", "x"}) == "by -12");
  CHECK(scaled({"scale", "--no-wait", "-1", "x"}) == "by -1");
  CHECK(scaled({"scale", "--socket", "x", "-1024"}) == "by -1024");
  CHECK(scaled({"scale", "--", "-1", "x"}) == "by -1");
  CHECK(scaled({"scale", "1024", "--", "x"}) == "to 1024");
  CHECK(read_as<ScaleCommand>({"scale", "4", "4"}).target.file == "4");
  CHECK(read_as<ScaleCommand>({"scale", "4", "x"}).wait);
  CHECK_FALSE(read_as<ScaleCommand>({"scale", "4", "--no-wait", "x"}).wait);
  const std::string wanted = "scale: expected N, +N or -N, with N from 1 to 1024";
  CHECK(usage_error({"scale"}) == wanted + ";");
  CHECK(usage_error({"scale", "--socket", "x"}) == wanted + ";");
  for (const char* const number :
       {"x", "0", "+0", "-0", "1025", "-1025", "4x", "+-1", "++1", "1.5", " 4", "99999999999"}) {
    CHECK(usage_error({"scale", number, "x"}) == wanted + ", got \"" + number + "\";");
  }
  CHECK(usage_error({"scale", "--1", "x"}) == R"(scale: unknown option "--1";)");
  CHECK(usage_error({"scale", "-n", "x"}) == R"(scale: unknown option "-n";)");
}

TEST_CASE("recycle and kill take a slot") {
  CHECK(read_as<RecycleCommand>({"recycle", "3", "app.conf"}).slot == 3);
  CHECK(read_as<RecycleCommand>({"recycle", "3", "app.conf"}).target.file == "app.conf");
  CHECK(read_as<KillCommand>({"kill", "--socket", "s", "1023"}).slot == 1023);
  CHECK(read_as<KillCommand>({"kill", "--socket", "s", "0"}).target.socket == "s");
  for (const char* const command : {"recycle", "kill"}) {
    const std::string wanted = std::string(command) + ": expected SLOT, a number from 0 to 1023";
    CHECK(usage_error({command}) == wanted + ";");
    CHECK(usage_error({command, "app.conf"}) == wanted + ", got \"app.conf\";");
    CHECK(usage_error({command, "1024", "a"}) == wanted + ", got \"1024\";");
    CHECK(usage_error({command, "+1", "a"}) == wanted + ", got \"+1\";");
    CHECK(usage_error({command, "-1", "a"}) == wanted + ", got \"-1\";");
  }
}

TEST_CASE("events are those that were, or those to come as well") {
  CHECK_FALSE(read_as<EventsCommand>({"events", "app.conf"}).follow);
  CHECK(read_as<EventsCommand>({"events", "-f", "app.conf"}).follow);
  CHECK(read_as<EventsCommand>({"events", "--socket", "s", "--follow"}).follow);
  CHECK(usage_error({"events", "--folow", "a"}) ==
        R"(events: unknown option "--folow"; did you mean "--follow"?)");
}

TEST_CASE("logs are all or those of one and the last word is the file") {
  const auto all = read_as<LogsCommand>({"logs", "app.conf"});
  CHECK(all.target.file == "app.conf");
  CHECK(all.who.empty());
  CHECK(all.lines == 50);
  CHECK_FALSE(all.follow);
  const auto one = read_as<LogsCommand>({"logs", "-f", "3", "-n", "7", "app.conf", "--json"});
  CHECK(one.target.file == "app.conf");
  CHECK(one.who == "3");
  CHECK(one.lines == 7);
  CHECK(one.follow);
  CHECK(one.json);
  const auto socket = read_as<LogsCommand>({"logs", "agent", "--socket", "s"});
  CHECK(socket.who == "agent");
  CHECK(socket.target.socket == "s");
  CHECK(read_as<LogsCommand>({"logs", "--socket", "s"}).who.empty());
  CHECK(usage_error({"logs"}) == "logs: expected either FILE or --socket PATH;");
  CHECK(usage_error({"logs", "0", "a", "--socket", "s"}) ==
        "logs: expected either FILE or --socket PATH;");
  CHECK(usage_error({"logs", "1024", "a"}) ==
        "logs: expected SLOT, a number from 0 to 1023, \"master\", \"agent\", \"program\" or "
        "\"schedule\", got \"1024\";");
  CHECK(contains(usage_error({"logs", "-n", "-1", "a"}), "-1"));
  CHECK(read_as<ReopenCommand>({"reopen", "app.conf"}).target.file == "app.conf");
}

TEST_CASE("the version is a command and an option") {
  CHECK(help({"version"}) == "clusterd 0.1.0\n");
  CHECK(help({"--version"}) == "clusterd 0.1.0\n");
}

TEST_CASE("help names every command, and a command's help its options") {
  const std::string all = help({"--help"});
  for (const char* command : {"start", "check", "init", "status", "events", "logs", "reload",
                              "restart", "scale", "recycle", "kill", "reopen", "stop", "version"}) {
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
  CHECK(contains(help({"scale", "--help"}), "Usage: clusterd scale [OPTIONS] N [FILE]\n"));
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
  CHECK(usage_error({"relaod", "app.conf"}) ==
        R"(unknown command "relaod"; did you mean "reload"?)");
  CHECK(usage_error({"upgrade", "app.conf"}) == R"(unknown command "upgrade";)");
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
  CHECK(usage_error({"start", "--zzz", "a"}) == R"(start: unknown option "--zzz";)");
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

TEST_CASE("a command to a running cluster needs exactly one of file and socket") {
  CHECK(usage_error({"scale", "4"}) == "scale: expected either FILE or --socket PATH;");
  CHECK(usage_error({"kill", "4", "a", "--socket", "s"}) ==
        "kill: expected either FILE or --socket PATH;");
  for (const char* command : {"status", "stop", "reload", "restart", "events", "reopen"}) {
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
