#include "config/accounts.h"

#include "config/words.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <grp.h>
#include <memory>
#include <optional>
#include <pwd.h>

namespace clusterd::config {
namespace {

constexpr std::size_t kMostBuffer = 1U << 20U;  // an entry with very many members
constexpr std::size_t kMostNames = 4096;
constexpr std::size_t kMostGroups = 65536;  // NGROUPS_MAX

bool all_digits(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_digit);
}

/// The largest number means "no change" to setresuid(2), so it is no id.
std::optional<std::uint32_t> to_id(const std::string& text) {
  std::uint32_t id = 0;
  const char* end = text.data() + text.size();
  const auto [stop, status] = std::from_chars(text.data(), end, id);
  if (status != std::errc() || stop != end || id == ~0U) return std::nullopt;
  return id;
}

/// Asks with a buffer that grows until the entry fits. Null if there is none.
template <typename Entry, typename Ask>
Result<Entry*> look_up(Entry& entry, std::vector<char>& buffer, Ask ask) {
  for (buffer.resize(4096);; buffer.resize(buffer.size() * 2)) {
    Entry* found = nullptr;
    const int error = ask(&entry, buffer.data(), buffer.size(), &found);
    if (error == 0) return found;
    if (error == ERANGE && buffer.size() < kMostBuffer) continue;
    // What getpwnam_r(3) gives for "no such entry", depending on who answers.
    for (const int none : {ENOENT, ESRCH, EBADF, EPERM}) {
      if (error == none) return nullptr;
    }
    return Error{std::error_code(error, std::system_category()), "ask the user database"};
  }
}

std::vector<gid_t> groups_of(const char* user, gid_t gid) {
  std::vector<gid_t> groups(64);
  for (;;) {
    int count = static_cast<int>(groups.size());
    const bool whole = ::getgrouplist(user, gid, groups.data(), &count) >= 0;
    const std::size_t size =
        std::clamp<std::size_t>(static_cast<std::size_t>(count), 1, kMostGroups);
    if (!whole && size > groups.size()) {
      groups.resize(size);
      continue;
    }
    groups.resize(std::min(size, groups.size()));
    std::sort(groups.begin(), groups.end());
    return groups;
  }
}

/// A file of lines "name:...".
std::vector<std::string> first_fields(const char* path) {
  std::vector<std::string> names;
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path, "re"), &std::fclose);
  char line[4096];
  while (file && names.size() < kMostNames &&
         std::fgets(line, sizeof line, file.get()) != nullptr) {
    const std::string text(line);
    if (text.find(':') != std::string::npos) names.push_back(text.substr(0, text.find(':')));
  }
  return names;
}

}  // namespace

Result<Identity> find_user(const std::string& name) {
  const auto id = to_id(name);
  if (!id && all_digits(name)) return make_error(in_quotes(name) + " is no user's number");
  passwd entry{};
  std::vector<char> buffer;
  const auto found =
      look_up(entry, buffer, [&](passwd* to, char* text, std::size_t size, passwd** result) {
        return id ? ::getpwuid_r(*id, to, text, size, result)
                  : ::getpwnam_r(name.c_str(), to, text, size, result);
      });
  if (!found) return found.error();
  if (*found == nullptr) {
    if (!id) return make_error("there is no user " + in_quotes(name));
    // A number that has no name has no group of its own either: 0 would be root's.
    return Identity{name, *id, static_cast<gid_t>(-1), {}, "", ""};
  }
  Identity user{entry.pw_name, entry.pw_uid, entry.pw_gid, {}, entry.pw_dir, entry.pw_shell};
  user.groups = groups_of(entry.pw_name, entry.pw_gid);
  return user;
}

Result<Group> find_group(const std::string& name) {
  const auto id = to_id(name);
  if (!id && all_digits(name)) return make_error(in_quotes(name) + " is no group's number");
  group entry{};
  std::vector<char> buffer;
  const auto found =
      look_up(entry, buffer, [&](group* to, char* text, std::size_t size, group** result) {
        return id ? ::getgrgid_r(*id, to, text, size, result)
                  : ::getgrnam_r(name.c_str(), to, text, size, result);
      });
  if (!found) return found.error();
  if (*found != nullptr) return Group{entry.gr_name, entry.gr_gid};
  if (id) return Group{name, *id};
  return make_error("there is no group " + in_quotes(name));
}

std::vector<std::string> user_names() { return first_fields("/etc/passwd"); }
std::vector<std::string> group_names() { return first_fields("/etc/group"); }

}  // namespace clusterd::config
