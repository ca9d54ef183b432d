#pragma once

#include "config/parse.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <vector>

/// Texts of app.conf for tests, and what becomes of them.
namespace clusterd::test {

using config::Mistake;
using config::Mistakes;
using config::Settings;
using config::Surroundings;

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

inline std::string fake_why_not_folder(const std::string& path) {
  static const std::set<std::string> good = {"/etc/shop", "/srv", "/etc/shop/run"};
  return good.contains(path) ? "" : "No such file or directory";
}

/// /etc/shop has a.env, b.env and bad.env.
inline Result<std::string> fake_read_file(const std::string& path, std::size_t limit) {
  static const std::map<std::string, std::string> files = {
      {"/etc/shop/a.env", "A=1\nB=1\n"},
      {"/etc/shop/b.env", "B=2\nC='2'\n"},
      {"/etc/shop/bad.env", "\nCLUSTERD_A=1\nB\n"}};
  CHECK(limit == 1U << 20U);
  const auto found = files.find(path);
  if (found == files.end()) return make_error("cannot be read: No such file or directory");
  return found->second;
}

/// www-data (33, of 33 and 44), alice (1000, of 1000); 4242 has no name. Groups: www-data (33), adm
/// (4).
inline Result<config::Identity> fake_find_user(const std::string& name) {
  if (name == "www-data" || name == "33") {
    return config::Identity{"www-data", 33, 33, {33, 44}, "/var/www", "/bin/false"};
  }
  if (name == "alice") return config::Identity{name, 1000, 1000, {1000}, "/srv/alice", "/bin/sh"};
  if (name == "4242") return config::Identity{name, 4242, static_cast<gid_t>(-1), {}, "", ""};
  return make_error("there is no user \"" + name + "\"");
}
inline Result<config::Group> fake_find_group(const std::string& name) {
  if (name == "www-data" || name == "33") return config::Group{"www-data", 33};
  if (name == "adm" || name == "4") return config::Group{"adm", 4};
  return make_error("there is no group \"" + name + "\"");
}

inline Surroundings surroundings(const std::string& file = "/etc/shop/shop.conf") {
  Surroundings result;
  result.file = file;
  result.path = "/usr/bin::bin:/usr/local/bin/";
  result.cpus = 3;
  result.cpus_reason = "3 CPUs in the affinity mask";
  result.control_root = "/run/clusterd";
  result.why_not_executable = &fake_why_not;
  result.why_not_folder = &fake_why_not_folder;
  result.read_file = &fake_read_file;
  result.find_user = &fake_find_user;
  result.find_group = &fake_find_group;
  result.user_names = [] { return std::vector<std::string>{"root", "www-data", "alice"}; };
  result.group_names = [] { return std::vector<std::string>{"root", "www-data", "adm"}; };
  result.allowed_cpus = {0, 1, 3};
  return result;
}

using Sets = std::vector<std::string>;

inline Settings good(const std::string& text, const Surroundings& around = surroundings(),
                     const Sets& sets = {}) {
  const auto result = parse(text, around, sets);
  if (const auto* mistakes = std::get_if<Mistakes>(&result)) {
    for (const Mistake& mistake : *mistakes) MESSAGE(config::text("app.conf", mistake));
    FAIL("not accepted: " << text);
  }
  return std::get<Settings>(result);
}

/// "LINE: WHAT" for each mistake, one a line, with its origin before it unless that is app.conf.
/// A " becomes a ', which needs no escape here.
inline std::string bad(const std::string& text, const Surroundings& around = surroundings(),
                       const Sets& sets = {}) {
  const auto result = parse(text, around, sets);
  std::string all;
  if (const auto* mistakes = std::get_if<Mistakes>(&result)) {
    CHECK_FALSE(mistakes->empty());
    for (const Mistake& mistake : *mistakes) {
      if (!all.empty()) all += '\n';
      all += mistake.origin.empty() ? std::to_string(mistake.line) + ": " + mistake.what
                                    : config::text("", mistake);
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

}  // namespace clusterd::test
