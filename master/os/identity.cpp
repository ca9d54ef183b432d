#include "master/os/identity.h"

#include <charconv>
#include <cstdint>
#include <grp.h>
#include <optional>
#include <pwd.h>

namespace clusterd::os {
namespace {

/// A plain number, or nothing. The largest one means "no change" to chown(2), so it is no id.
std::optional<std::uint32_t> as_number(const std::string& text) {
  std::uint32_t number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, status] = std::from_chars(text.data(), end, number);
  if (text.empty() || status != std::errc() || stop != end || number == ~0U) return std::nullopt;
  return number;
}

}  // namespace

Result<uid_t> find_user(const std::string& name) {
  if (const auto number = as_number(name)) return *number;
  const passwd* entry = ::getpwnam(name.c_str());
  if (entry == nullptr) return make_error("there is no user \"" + name + "\"");
  return entry->pw_uid;
}

Result<gid_t> find_group(const std::string& name) {
  if (const auto number = as_number(name)) return *number;
  const group* entry = ::getgrnam(name.c_str());
  if (entry == nullptr) return make_error("there is no group \"" + name + "\"");
  return entry->gr_gid;
}

}  // namespace clusterd::os
