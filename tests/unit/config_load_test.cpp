#include "config/defaults.h"
#include "config/parse.h"
#include "tests/support/config_texts.h"
#include "tests/support/temp_dir.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

using namespace clusterd;
using namespace clusterd::config;
using namespace clusterd::test;

namespace {

std::string load_mistake(const std::string& file) {
  const auto result = load(file);
  const auto* mistakes = std::get_if<Mistakes>(&result);
  REQUIRE(mistakes != nullptr);
  REQUIRE(mistakes->size() == 1);
  return config::text(file, mistakes->front()).substr(file.size());
}

}  // namespace

TEST_CASE("all mistakes are reported, in order of line") {
  CHECK(bad("zzz = 1\n[log]\nlevel = 1\n[worker]\nmax_pending = 0\ncommand = []\n\nxxx = 1\n") ==
        "0: [[listen]] is missing: nothing to listen on\n"
        "1: unknown key 'zzz' at the top level; expected 'name', 'workers', 'pidfile', "
        "'stop_delay', 'user', 'group', "
        "'listen', 'worker', 'agent', "
        "'restart', 'reload', 'schedule', 'control', 'messages', 'http', 'log' or 'hooks'\n"
        "3: log.level: expected 'trace', 'debug', 'info', 'warn', 'error' or 'off', got integer 1\n"
        "5: worker.max_pending: expected an integer from 1 to 1024, got integer 0\n"
        "6: worker.command: is empty: nothing to run\n"
        "8: unknown key 'xxx' in [worker]; expected 'command', 'env', 'env_file', 'protocol', "
        "'stdin', 'ready', 'drain_signal', 'policy', 'ready_timeout', 'drain_timeout', "
        "'kill_timeout', "
        "'stall_timeout', 'heartbeat_timeout', "
        "'recycle', 'max_pending', "
        "'max_connections', 'cwd', 'umask', 'nofile', 'nproc', 'memlock', 'core', 'nice', 'sched' "
        "or 'affinity'");
}

TEST_CASE("what is no TOML is a mistake at its line") {
  const std::string nul("a\0b", 3);
  const std::vector<std::string> line_1 = {
      "a =", "a = 99999999999999999999", "a = '" + nul + "'", nul, "\x7f", "a = [[[["};
  const std::vector<std::string> line_2 = {"a = 1\na = 2",         "a = \"\"\"\nb",
                                           "a = 1\nb = '\xff'",    "a = 1\n#" + nul,
                                           "[listen]\n[[listen]]", "\"a\\nb\" = 1\n\"a\\nb\" = 2"};
  const std::vector<std::string> line_3 = {"a = 1\n\n[b\n", "\r\n\r\n="};
  int line = 0;
  for (const auto& texts : {line_1, line_2, line_3}) {
    ++line;
    for (const std::string& text : texts) {
      CAPTURE(text);
      const std::string mistakes = bad(text);
      CHECK(mistakes.starts_with(std::to_string(line) + ": "));
      CHECK(std::count(mistakes.begin(), mistakes.end(), '\n') == 0);
    }
  }
}

TEST_CASE("hostile text is refused and harms nobody") {
  constexpr std::size_t kMuch = 1U << 20U;
  const auto repeated = [](const std::string& part, std::size_t times) {
    std::string text;
    for (std::size_t i = 0; i < times; ++i) text += part;
    return text;
  };
  CHECK_FALSE(bad(std::string(kMuch, '\0')).empty());
  CHECK_FALSE(bad(std::string(kMuch, '[')).empty());
  CHECK_FALSE(bad(std::string(kMuch, '\xff')).empty());
  CHECK_FALSE(bad("a = " + std::string(kMuch, '[')).empty());
  CHECK_FALSE(bad("a = " + repeated("{a=", kMuch / 3)).empty());
  CHECK(bad(std::string(kMuch, 'a') + " = 1").size() < 1000);
  CHECK(bad_worker("protocol = '" + std::string(kMuch, 'a') + "'").size() < 1000);
  CHECK(bad(repeated("a.", kMuch / 2) + "a = 1") == "0: more than 4096 dots in one file");
  CHECK(bad("[" + repeated("a.", 4096) + "a]").starts_with("0: [[listen]] is missing"));
  CHECK_FALSE(bad("listen = [" + repeated("{},", 10000) + "]").empty());
}

TEST_CASE("no damage to an app.conf is a crash") {
  const std::string text = in_top("name = 'a'") + "env = { A = 'ü' }\nready_timeout = '1s'\n" +
                           "[restart]\nbackoff = { first = '1s' }\n[log]\nlevel = 'info'\n";
  const std::string bytes("\0\xff''[]{}=.,#\n\\ 0a", 17);
  std::minstd_rand random(1);
  for (int round = 0; round < 3000; ++round) {
    std::string damaged = text;
    for (int i = 0; i <= round % 4; ++i) {
      const std::size_t at = random() % damaged.size();
      if (random() % 3 == 0) damaged.erase(at, 1 + random() % 9);
      if (random() % 3 == 0) damaged.insert(at, damaged.substr(random() % damaged.size(), 20));
      if (at < damaged.size()) damaged[at] = bytes[random() % bytes.size()];
    }
    const auto result = parse(damaged, surroundings());
    const auto* mistakes = std::get_if<Mistakes>(&result);
    const auto lines = std::count(damaged.begin(), damaged.end(), '\n') + 1;
    CHECK((mistakes == nullptr || (!mistakes->empty() && mistakes->back().line <= lines)));
  }
}

TEST_CASE("a mistake's text names file and line") {
  CHECK(config::text("a.conf", {12, "wrong"}) == "a.conf:12: wrong");
  CHECK(config::text("./a.conf", {0, "wrong"}) == "./a.conf: wrong");
  CHECK(config::text("a.conf", {3, "wrong", "prod.env"}) == "prod.env:3: wrong");
  CHECK(config::text("a.conf", {0, "wrong", "--set a=b"}) == "--set a=b: wrong");
}

TEST_CASE("load finds the file and what surrounds it") {
  const TempDir folder;
  const std::string file = folder.write("shop.conf", kGood);
  ::chmod(folder.write("web", "").c_str(), 0700);
  const std::string link = folder.path() + "/link.conf";
  std::filesystem::create_symlink(file, link);

  const auto result = load(link);
  REQUIRE(std::holds_alternative<Settings>(result));
  const Settings& settings = std::get<Settings>(result);
  const std::string real = std::filesystem::canonical(folder.path());
  CHECK(settings.file == real + "/shop.conf");
  CHECK(settings.name == "shop");
  CHECK(settings.worker.program == real + "/web");
  CHECK(settings.workers >= 1);
  CHECK(contains(settings.workers_reason, " in the affinity mask"));
  CHECK(settings.control.socket.ends_with("/shop/ctl.sock"));

  ::chmod((folder.path() + "/web").c_str(), 0600);
  CHECK(load_mistake(file) == ":4: worker.command: \"" + real + "/web\": is not executable");
}

TEST_CASE("load reads the files that app.conf names, and puts options into it") {
  const TempDir folder;
  ::chmod(folder.write("web", "").c_str(), 0700);
  const std::string file =
      folder.write("shop.conf", in_worker("env_file = ['a.env', 'b.env']\ncwd = 'run'"));
  folder.write("a.env", "A=1\n");
  folder.write("b.env", std::string((1U << 20U) + 1, '#'));
  folder.write("run", "");
  const auto text = [&](const Sets& sets) {
    std::string all;
    const auto result = load(file, sets);
    if (const auto* mistakes = std::get_if<Mistakes>(&result)) {
      for (const Mistake& mistake : *mistakes) all += config::text("shop.conf", mistake) + "\n";
    }
    return all;
  };
  const std::string real = std::filesystem::canonical(folder.path());
  CHECK(text({}) ==
        "shop.conf:5: worker.env_file: \"b.env\": is larger than 1048576 bytes\n"
        "shop.conf:6: worker.cwd: \"" +
            real + "/run\": is not a folder\n");
  CHECK(text({"worker.cwd=none", "worker.env_file=none.env"}) ==
        "--set worker.env_file=none.env: worker.env_file: \"none.env\": cannot be read: No such "
        "file or directory\n--set worker.cwd=none: worker.cwd: \"" +
            real +
            "/none\": No such file "
            "or directory\n");
  const Sets right = {"worker.cwd=.", "worker.env_file=a.env"};
  CHECK(text(right) == "");
  const Settings settings = std::get<Settings>(load(file, right));
  CHECK(settings.worker.cwd == real);
  CHECK(settings.worker.env.at("A") == "1");
}

TEST_CASE("load says why a file cannot be read") {
  const TempDir folder;
  CHECK(load_mistake(folder.path() + "/none.conf") ==
        ": cannot be read: No such file or directory");
  CHECK(load_mistake(folder.path()) == ": is a directory");
  CHECK(load_mistake("/dev/null") == ": is not a regular file");
  const std::string fifo = folder.path() + "/fifo";
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  CHECK(load_mistake(fifo) == ": is not a regular file");
  const std::string large = folder.write("large.conf", std::string((1U << 20U) + 1, '#'));
  CHECK(load_mistake(large) == ": is larger than 1048576 bytes");
  const auto whole = load(folder.write("whole.conf", std::string(1U << 20U, '#')));
  CHECK(std::get<Mistakes>(whole).size() == 2);
}

TEST_CASE("the control root is for this user alone") {
  const std::string root = find_surroundings("/etc/shop.conf").control_root;
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  if (::geteuid() == 0) {
    CHECK(root == "/run/clusterd");
  } else if (runtime != nullptr && *runtime == '/') {
    CHECK(root == runtime + std::string("/clusterd"));
  } else {
    CHECK(root == "/tmp/clusterd-" + std::to_string(::geteuid()));
  }
}
