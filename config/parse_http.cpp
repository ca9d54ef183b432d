#include "config/parse_http.h"

#include "config/defaults.h"

#include <algorithm>

namespace clusterd::config {
namespace {

constexpr std::size_t kMostAddressBytes = 64;
constexpr int kBacklog = 64;
constexpr std::string_view kUnix = "unix:";
constexpr std::string_view kWanted = R"("127.0.0.1:9180", "[::1]:9180" or "unix:/path")";

bool is_same_place(const Listen& a, const Listen& b) {
  if (a.kind != b.kind) return false;
  if (a.kind == Listen::Kind::unix_socket) return a.path == b.path;
  return a.address.port() != 0 && a.address == b.address;
}

/// Empty if it is one; else why not.
std::string read_address(const std::string& text, const std::string& directory, Listen& listen) {
  if (text.starts_with(kUnix)) {
    const std::string path = text.substr(kUnix.size());
    const bool is_path = !path.empty() && !path.starts_with('@') && !path.ends_with('/');
    if (!is_path || escaped(path) != path) return "expected \"unix:/path\", got " + in_quotes(text);
    listen.kind = Listen::Kind::unix_socket;
    listen.path = resolved(directory, path);
    return why_not_socket(listen.path);
  }
  if (text.size() > kMostAddressBytes) return "expected " + std::string(kWanted);
  const Result<Address> address = Address::parse(text);
  if (!address) return escaped(address.error().message());
  listen.address = *address;
  return "";
}

}  // namespace

Http read_http(TomlReader& top, const Settings& settings, Mistakes& mistakes) {
  const toml::table* table = top.table("http");
  if (table == nullptr) return {};
  TomlReader reader(*table, "http", mistakes);
  reader.check_keys();
  const std::optional<std::string> text = reader.string("address", kWanted);
  if (!text) return {};
  Listen listen;
  listen.name = "http.address";
  listen.backlog = kBacklog;
  std::string why = read_address(*text, settings.directory, listen);
  const bool taken =
      why.empty() && std::any_of(settings.listen.begin(), settings.listen.end(),
                                 [&](const Listen& one) { return is_same_place(one, listen); });
  if (taken) why = in_quotes(*text) + " is a [[listen]] address; the agent needs one of its own";
  if (!why.empty()) {
    reader.blame("address", why);
    return {};
  }
  return {listen};
}

}  // namespace clusterd::config
