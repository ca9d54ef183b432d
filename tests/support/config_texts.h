#pragma once

#include "config/parse.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <sstream>
#include <string>
#include <vector>

/// Texts of app.conf for tests, and what becomes of them.
namespace clusterd::test {

using namespace config;
using namespace std::chrono_literals;

inline const std::string kListen = "[[listen]]\naddress = '127.0.0.1:80'\n";
inline const std::string kWorker = "[worker]\ncommand = ['./web']\n";
inline const std::string kGood = kListen + kWorker;

/// A whole app.conf in which `lines` belong to one table. They start at line 1 or at line 5.
inline std::string in_top(const std::string& lines) { return lines + "\n" + kGood; }
inline std::string in_listen(const std::string& lines) { return kWorker + kListen + lines + "\n"; }
inline std::string in_worker(const std::string& lines) { return kGood + lines + "\n"; }
inline std::string with_listen(const std::string& lines) { return lines + "\n" + kWorker; }
inline std::string with_worker(const std::string& lines) {
  return kListen + "[worker]\n" + lines + "\n";
}

inline std::string fake_why_not(const std::string& path) {
  static const std::set<std::string> good = {"/etc/shop/web", "/etc/bin/web", "/opt/web",
                                             "/usr/local/bin/server", "/etc/shop/a/../web"};
  if (good.contains(path)) return "";
  return path == "/usr/bin/server" ? "is not executable" : "No such file or directory";
}

inline Surroundings surroundings(const std::string& file = "/etc/shop/shop.conf") {
  Surroundings result;
  result.file = file;
  result.path = "/usr/bin::bin:/usr/local/bin/";
  result.cpus = 3;
  result.cpus_reason = "3 CPUs in the affinity mask";
  result.control_root = "/run/clusterd";
  result.why_not_executable = &fake_why_not;
  return result;
}

inline Settings good(const std::string& text, const Surroundings& around = surroundings()) {
  const auto result = parse(text, around);
  if (const auto* mistakes = std::get_if<Mistakes>(&result)) {
    for (const Mistake& mistake : *mistakes) MESSAGE(config::text("app.conf", mistake));
    FAIL("not accepted: " << text);
  }
  return std::get<Settings>(result);
}

/// "LINE: WHAT" for each mistake, one a line. A " becomes a ', which needs no escape here.
inline std::string bad(const std::string& text, const Surroundings& around = surroundings()) {
  const auto result = parse(text, around);
  std::string all;
  if (const auto* mistakes = std::get_if<Mistakes>(&result)) {
    CHECK_FALSE(mistakes->empty());
    for (const auto& [line, what] : *mistakes) {
      all += (all.empty() ? "" : "\n") + std::to_string(line) + ": " + what;
    }
  }
  std::replace(all.begin(), all.end(), '"', '\'');
  return all;
}
inline std::string bad_top(const std::string& lines) { return bad(in_top(lines)); }
inline std::string bad_listen(const std::string& lines) { return bad(in_listen(lines)); }
inline std::string bad_worker(const std::string& lines) { return bad(in_worker(lines)); }

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

struct Case {
  std::string text;
  std::string mistake;
};

/// Each text has one mistake, which is `start` and its own.
inline void each_is_bad(std::string (*how)(const std::string&), const std::string& start,
                        const std::vector<Case>& cases) {
  for (const auto& [text, mistake] : cases) CHECK(how(text) == start + mistake);
}

/// What an operator sees of the settings, on a few lines.
inline std::string summary(const Settings& s) {
  std::ostringstream out;
  out << s.file << ' ' << s.directory << ' ' << s.name << ' ' << s.workers << " ("
      << s.workers_reason << ")\n";
  for (const Listen& listen : s.listen) {
    out << listen.name << ' ' << listen.address.text() << ' ' << static_cast<int>(listen.policy)
        << ' ' << listen.backlog << '\n';
  }
  out << s.worker.program << ':';
  for (const std::string& word : s.worker.command) out << ' ' << word;
  for (const auto& [name, value] : s.worker.env) out << ' ' << name << '=' << value;
  out << '\n';
  for (const Duration duration :
       {s.worker.ready_timeout, s.worker.drain_timeout, s.worker.kill_timeout,
        s.worker.stall_timeout, s.restart.backoff_first, s.restart.backoff_max}) {
    out << duration / 1ms << "ms ";
  }
  out << s.worker.max_pending << ' ' << s.control.socket << ' ' << static_cast<int>(s.log.level);
  return out.str();
}

}  // namespace clusterd::test
