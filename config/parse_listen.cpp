#include "config/parse_listen.h"

#include "common/handoff.h"
#include "config/choices.h"
#include "config/defaults.h"

#include <cstddef>
#include <set>

namespace clusterd::config {
namespace {

using Kind = Listen::Kind;

constexpr std::size_t kMostAddressBytes = 64;
constexpr std::string_view kUnix = "unix:";
constexpr std::string_view kUdp = "udp://";
constexpr std::string_view kPassed = "systemd:";
constexpr std::string_view kWanted =
    R"("127.0.0.1:8080", "[::1]:8080", "udp://127.0.0.1:5353", "unix:/path" or "systemd:NAME")";

/// A key that only some addresses have.
struct Only {
  std::string_view key;
  bool (*fits)(const Listen&);
  std::string_view what;
};

bool is_tcp(const Listen& listen) { return listen.kind == Kind::tcp; }
bool is_unix(const Listen& listen) { return listen.kind == Kind::unix_socket; }
bool is_passed(const Listen& listen) { return listen.kind == Kind::passed; }
/// Perhaps, of a passed one.
bool is_stream(const Listen& listen) { return listen.kind != Kind::udp; }
bool is_ours_and_stream(const Listen& listen) { return is_tcp(listen) || is_unix(listen); }
bool is_v6(const Listen& listen) {
  return !is_unix(listen) && !is_passed(listen) && listen.address.is_v6();
}

constexpr Only kOnly[] = {
    {"backlog", &is_ours_and_stream, "a TCP or unix: address"},
    {"queue_timeout", &is_stream, "a TCP or unix: address"},
    {"nodelay", &is_tcp, "a TCP address"},
    {"defer_accept", &is_tcp, "a TCP address"},
    {"v6only", &is_v6, "an IPv6 address"},
    {"mode", &is_unix, "a unix: address"},
    {"owner", &is_unix, "a unix: address"},
    {"group", &is_unix, "a unix: address"},
};

/// What two listeners cannot both have; empty if there is no harm in it.
std::string identity(const Listen& listen) {
  if (is_unix(listen)) return listen.path.empty() ? "" : std::string(kUnix) + listen.path;
  if (is_passed(listen)) return std::string(kPassed) + listen.path;
  // Of port 0 the kernel picks another each time.
  if (listen.address.family() == AF_UNSPEC || listen.address.port() == 0) return "";
  return (is_tcp(listen) ? "" : std::string(kUdp)) + listen.address.text();
}

class ListenReader {
 public:
  ListenReader(const std::string& directory, Mistakes& mistakes)
      : directory_(directory), mistakes_(mistakes) {}

  [[nodiscard]] Listen read(const toml::table& table);

 private:
  [[nodiscard]] bool read_address(TomlReader& reader, Listen& listen);
  [[nodiscard]] bool read_path(TomlReader& reader, const std::string& text, Listen& listen);
  [[nodiscard]] bool read_passed(TomlReader& reader, const std::string& text, Listen& listen);
  void read_name(TomlReader& reader, Listen& listen);
  void read_policy(TomlReader& reader, Listen& listen);
  void read_account(TomlReader& reader, std::string_view key, std::string& account);
  void check_unique(TomlReader& reader, const Listen& listen);

  const std::string& directory_;
  Mistakes& mistakes_;
  std::set<std::string, std::less<>> names_;
  std::set<std::string, std::less<>> addresses_;
};

Listen ListenReader::read(const toml::table& table) {
  TomlReader reader(table, "listen", mistakes_);
  reader.check_keys();

  Listen listen;
  const bool kind_is_known = read_address(reader, listen);
  read_name(reader, listen);
  read_policy(reader, listen);
  reader.integer("backlog", {1, 65535}, listen.backlog);
  reader.duration("queue_timeout", TomlReader::Zero::allowed, listen.queue_timeout);
  reader.boolean("nonblocking", listen.nonblocking);
  reader.boolean("nodelay", listen.nodelay);
  reader.duration("defer_accept", TomlReader::Zero::allowed, listen.defer_accept);
  reader.boolean("v6only", listen.v6only);
  listen.mode = reader.octal("mode").value_or(listen.mode);
  read_account(reader, "owner", listen.owner);
  read_account(reader, "group", listen.group);
  for (const auto& [key, fits, what] : kOnly) {
    if (!kind_is_known || reader.find(key) == nullptr || fits(listen)) continue;
    reader.blame(key,
                 "is only for " + std::string(what) +
                     (is_passed(listen) ? "; of a passed socket the socket unit says it" : ""));
  }
  check_unique(reader, listen);
  return listen;
}

bool ListenReader::read_address(TomlReader& reader, Listen& listen) {
  if (reader.find("address") == nullptr) {
    reader.blame(reader.place(), "listen.address is missing");
    return false;
  }
  const std::optional<std::string> text = reader.string("address", kWanted);
  if (!text) return false;
  if (text->starts_with(kUnix)) return read_path(reader, *text, listen);
  if (text->starts_with(kPassed)) return read_passed(reader, *text, listen);

  const bool udp = text->starts_with(kUdp);
  if (text->size() > kMostAddressBytes) {
    reader.wrong("address", kWanted, *reader.find("address"));
    return false;
  }
  const Result<Address> address = Address::parse(text->substr(udp ? kUdp.size() : 0));
  if (!address.has_value()) {
    reader.blame("address", escaped(address.error().message()));
    return false;
  }
  listen.kind = udp ? Kind::udp : Kind::tcp;
  listen.address = *address;
  listen.name = *text;
  return true;
}

bool ListenReader::read_path(TomlReader& reader, const std::string& text, Listen& listen) {
  const std::string path = text.substr(kUnix.size());
  std::string why;
  if (path.starts_with('@')) {
    why = in_quotes(text) + ": an abstract socket has no permissions, so that everybody on this " +
          "machine could connect; expected \"unix:/path\"";
  } else if (path.empty() || path.ends_with('/') || escaped(path) != path) {
    why = "expected \"unix:/path\", got " + in_quotes(text);
  } else {
    listen.path = resolved(directory_, path);
    why = why_not_socket(listen.path);
  }
  if (!why.empty()) reader.blame("address", why);
  listen.kind = Kind::unix_socket;
  listen.name = text;
  return true;
}

bool ListenReader::read_passed(TomlReader& reader, const std::string& text, Listen& listen) {
  listen.path = text.substr(kPassed.size());
  // What FileDescriptorName= may be, of letters; without it, it is the socket unit's name.
  if (!is_name(listen.path, "._-@\\")) {
    reader.wrong("address", "\"systemd:\" and 1 to 64 of A-Z a-z 0-9 . _ - @ \\",
                 *reader.find("address"));
    return false;
  }
  listen.kind = Kind::passed;
  listen.name = text;
  return true;
}

void ListenReader::read_name(TomlReader& reader, Listen& listen) {
  const std::optional<std::string> name = reader.string("name");
  if (!name) return;
  listen.name = *name;
  // Brackets and colons, for a listener that is named after an address.
  if (is_name(*name, "._-:[]")) return;
  reader.wrong("name", "1 to 64 of A-Z a-z 0-9 . _ - : [ ]", *reader.find("name"));
}

void ListenReader::read_policy(TomlReader& reader, Listen& listen) {
  const bool udp = listen.kind == Kind::udp;
  if (udp) listen.policy = Policy::accept_race;
  reader.choice<Policy>("policy", "policy", kPolicies, listen.policy);
  if (udp && listen.policy != Policy::accept_race) {
    reader.blame("policy",
                 "a udp:// address has no connections that the master could accept and hand out; "
                 "expected \"accept-race\"");
  }
  if (is_unix(listen) && listen.policy == Policy::sticky) {
    reader.blame("policy", "the clients of a unix: address have no address to be told apart by");
  }
}

void ListenReader::read_account(TomlReader& reader, std::string_view key, std::string& account) {
  constexpr std::string_view kName = "a name or a number, as a string";
  const std::optional<std::string> text = reader.string(key, kName);
  if (!text) return;
  if (text->empty()) return reader.wrong(key, kName, *reader.find(key));
  account = *text;
}

void ListenReader::check_unique(TomlReader& reader, const Listen& listen) {
  const std::string address = identity(listen);
  if (!address.empty() && !addresses_.insert(address).second) {
    return reader.blame("address", in_quotes(address) + " is there twice");
  }
  if (listen.name.empty() || names_.insert(listen.name).second) return;
  const std::string_view key = reader.find("name") == nullptr ? "address" : "name";
  reader.blame(reader.place(key), "listen.name: two listeners are named " + in_quotes(listen.name) +
                                      "; give each its own name");
}

}  // namespace

std::vector<Listen> read_listeners(TomlReader& top, const std::string& directory,
                                   Mistakes& mistakes) {
  constexpr std::string_view kTables = "[[listen]], an array of tables";
  std::vector<Listen> listeners;
  const toml::node* node = top.find("listen");
  if (node == nullptr) return listeners;
  const toml::array* array = node->as_array();
  if (array == nullptr) {
    top.wrong("listen", kTables, *node);
    return listeners;
  }
  if (array->empty()) top.blame("listen", "is empty: nothing to listen on");
  if (array->size() > handoff::kMaxListeners) {
    top.blame("listen", std::to_string(array->size()) + " listeners; there may be " +
                            std::to_string(handoff::kMaxListeners));
  }
  ListenReader reader(directory, mistakes);
  for (const toml::node& element : *array) {
    if (const toml::table* table = element.as_table()) {
      listeners.push_back(reader.read(*table));
    } else {
      top.wrong("listen", kTables, element);
    }
  }
  return listeners;
}

}  // namespace clusterd::config
