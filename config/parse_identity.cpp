#include "config/parse_identity.h"

#include "config/nearest.h"

#include <algorithm>
#include <vector>

namespace clusterd::config {
namespace {

constexpr std::string_view kName = "a name or a number, as a string";

std::optional<std::string> read_name(TomlReader& reader, std::string_view key) {
  std::optional<std::string> name = reader.string(key, kName);
  if (!name || !name->empty()) return name;
  reader.wrong(key, kName, *reader.find(key));
  return std::nullopt;
}

std::string did_you_mean(const std::string& name, std::vector<std::string> (*names)()) {
  if (names == nullptr) return "";
  const std::vector<std::string> known = names();
  const std::vector<std::string_view> views(known.begin(), known.end());
  const std::string_view close = nearest(name, views);
  return close.empty() ? "" : "; did you mean " + in_quotes(close) + "?";
}

}  // namespace

std::optional<Group> read_group(TomlReader& reader, std::string_view key,
                                const Surroundings& surroundings) {
  const std::optional<std::string> name = read_name(reader, key);
  if (!name) return std::nullopt;
  const Result<Group> group = surroundings.find_group(*name);
  if (group.has_value()) return *group;
  reader.blame(key, group.error().message() + did_you_mean(*name, surroundings.group_names));
  return std::nullopt;
}

std::optional<Identity> read_user(TomlReader& top, const Surroundings& surroundings) {
  const std::optional<Group> group = read_group(top, "group", surroundings);
  if (top.find("user") == nullptr) {
    if (top.find("group") != nullptr) top.blame("group", "is only for a user: set user as well");
    return std::nullopt;
  }
  const std::optional<std::string> name = read_name(top, "user");
  if (!name) return std::nullopt;
  Result<Identity> user = surroundings.find_user(*name);
  if (!user.has_value()) {
    top.blame("user", user.error().message() + did_you_mean(*name, surroundings.user_names));
    return std::nullopt;
  }
  if (group) {
    user->gid = group->gid;
    const auto place = std::lower_bound(user->groups.begin(), user->groups.end(), group->gid);
    if (place == user->groups.end() || *place != group->gid) user->groups.insert(place, group->gid);
  } else if (user->gid == static_cast<gid_t>(-1) && top.find("group") == nullptr) {
    top.blame("user", in_quotes(*name) + " has no name, and so no group of its own; set group");
  }
  return *user;
}

}  // namespace clusterd::config
