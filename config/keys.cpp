#include "config/keys.h"

#include "config/nearest.h"
#include "config/words.h"

#include <algorithm>
#include <vector>

namespace clusterd::config {
namespace {

constexpr Table kTables[] = {
    {"", "the top level"},
    {"listen", "[[listen]]"},
    {"worker", "[worker]"},
    {"restart", "[restart]"},
    {"restart.backoff", "restart.backoff"},
    {"control", "[control]"},
    {"log", "[log]"},
};

constexpr Key kKeys[] = {
    {"", "name", Form::text, "1 to 64 of A-Z a-z 0-9 . _ -, no dot first",
     "the file's name without its ending", "the cluster's name", R"("shop")"},
    {"", "workers", Form::other, R"("auto" or an integer from 1 to 1024)", R"("auto")",
     "worker processes; auto = as many as there are CPUs for them"},
    {"", "listen", Form::other, "[[listen]] tables", "required", "where clients connect",
     R"([{ address = "127.0.0.1:8080" }])"},
    {"", "worker", Form::other, "table", "required", "the program that serves them",
     R"({ command = ["./server"] })"},
    {"", "restart", Form::other, "table", "{}", "how dead workers are replaced"},
    {"", "control", Form::other, "table", "{}", "how clusterd status and stop find the master"},
    {"", "log", Form::other, "table", "{}", "what the master writes to stderr"},

    {"listen", "name", Form::text, "1 to 64 of A-Z a-z 0-9 . _ - : [ ]", "the address",
     "what the listener is called", R"("http")"},
    {"listen", "address", Form::text,
     R"("HOST:PORT", "[IPV6]:PORT", "udp://HOST:PORT" or "unix:PATH")", "required",
     "where it listens, in numbers; port 0 = the kernel picks one", R"("127.0.0.1:8080")"},
    {"listen", "policy", Form::text,
     R"("round-robin", "accept-race", "least-connections" or "sticky")", R"("round-robin")",
     "who gets a connection; udp:// has accept-race alone"},
    {"listen", "backlog", Form::other, "integer from 1 to 65535", "4096",
     "connections that may wait in the kernel"},
    {"listen", "queue_timeout", Form::text, R"(duration, "0" = for ever)", R"("30s")",
     "a connection that no worker takes for so long is reset"},
    {"listen", "nodelay", Form::other, "true or false", "true",
     "TCP: send small packets at once (TCP_NODELAY)"},
    {"listen", "defer_accept", Form::text, R"(duration, "0" = off)", R"("0s")",
     "TCP: wait so long for a client's first bytes before accepting it"},
    {"listen", "v6only", Form::other, "true or false", "true",
     "IPv6: leave IPv4 clients to other listeners"},
    {"listen", "mode", Form::text, "octal string", R"("0660")",
     "unix: the permissions of the socket's file"},
    {"listen", "owner", Form::text, "user name or number", "the user that runs clusterd",
     "unix: the owner of the socket's file", R"("www-data")"},
    {"listen", "group", Form::text, "group name or number", "the group that runs clusterd",
     "unix: the group of the socket's file", R"("www-data")"},

    {"worker", "command", Form::other, "array of strings", "required",
     "the program and its arguments, without a shell", R"(["./server"])"},
    {"worker", "env", Form::other, "table of strings", "{}",
     "variables that are added to clusterd's own"},
    {"worker", "env_file", Form::other, "path or array of paths", "[]",
     "files with more of them, as NAME=VALUE lines; env goes first"},
    {"worker", "protocol", Form::text, R"("auto" or "native")", R"("auto")",
     "how master and worker talk; native = the worker library"},
    {"worker", "ready_timeout", Form::text, "duration", R"("30s")",
     "a new worker must be ready in this time"},
    {"worker", "drain_timeout", Form::text, "duration", R"("5s")",
     "a leaving worker may finish its connections for so long, ..."},
    {"worker", "kill_timeout", Form::text, "duration", R"("5s")",
     "... has this long after SIGTERM, and then gets SIGKILL"},
    {"worker", "stall_timeout", Form::text, R"(duration, "0" = off)", R"("1s")",
     "connections that a worker does not take go to others after it"},
    {"worker", "max_pending", Form::other, "integer from 1 to 1024", "16",
     "connections handed to a worker that it has not yet taken"},
    {"worker", "max_connections", Form::other, "integer from 0 to 1000000", "0",
     "open connections that a worker may hold; 0 = no limit"},
    {"worker", "cwd", Form::text, "path", "the file's folder", "the folder that workers run in",
     R"(".")"},
    {"worker", "umask", Form::text, "octal string", "clusterd's own",
     "the permissions that new files of workers do not get", R"("0027")"},
    {"worker", "nofile", Form::other, "integer from 64 to 1000000000", "clusterd's own",
     "descriptors that a worker may have open (RLIMIT_NOFILE)", "65536"},
    {"worker", "nice", Form::other, "integer from -20 to 19", "clusterd's own",
     "the workers' priority; less than clusterd's needs privilege", "5"},
    {"worker", "sched", Form::text, R"("other" or "batch")", R"("other")",
     "the kernel's scheduling policy for workers"},

    {"restart", "backoff", Form::other, "table", R"({ first = "100ms", max = "10s" })",
     "the wait before a dead worker is replaced"},
    {"restart.backoff", "first", Form::text, "duration", R"("100ms")",
     "the wait after a second death in a row; it doubles with each"},
    {"restart.backoff", "max", Form::text, "duration", R"("10s")",
     "the wait grows to this; a worker ready for so long starts anew"},

    {"control", "socket", Form::text, "path", "NAME/ctl.sock in clusterd's run folder",
     "where status and stop reach the master", R"("ctl.sock")"},

    {"log", "level", Form::text, R"("trace", "debug", "info", "warn", "error" or "off")",
     R"("info")", "the least important lines that are written"},
};

std::string place(const Table& table) {
  return (table.name.empty() ? "at " : "in ") + std::string(table.title);
}

std::vector<std::string_view> names_in(std::string_view table) {
  std::vector<std::string_view> names;
  for (const Key& key : kKeys) {
    if (key.table == table) names.push_back(key.name);
  }
  return names;
}

/// The only table that has a key of this name, or nullptr.
const Table* home_of(std::string_view name) {
  const Table* home = nullptr;
  for (const Table& table : kTables) {
    if (find_key(table.name, name) == nullptr) continue;
    if (home != nullptr) return nullptr;
    home = &table;
  }
  return home;
}

}  // namespace

std::span<const Table> tables() { return kTables; }
std::span<const Key> keys() { return kKeys; }

const Table* find_table(std::string_view name) {
  const auto* found = std::find_if(std::begin(kTables), std::end(kTables),
                                   [&](const Table& table) { return table.name == name; });
  return found == std::end(kTables) ? nullptr : found;
}

const Key* find_key(std::string_view table, std::string_view name) {
  const auto* found = std::find_if(std::begin(kKeys), std::end(kKeys), [&](const Key& key) {
    return key.table == table && key.name == name;
  });
  return found == std::end(kKeys) ? nullptr : found;
}

std::string path_of(std::string_view table, std::string_view key) {
  std::string path(table);
  if (!path.empty()) path += '.';
  return path.append(key);
}

std::string unknown_key(std::string_view table, std::string_view name) {
  const std::string what = "unknown key " + in_quotes(name) + " " + place(*find_table(table));
  const std::vector<std::string_view> names = names_in(table);
  const std::string_view close = nearest(name, names);
  if (!close.empty()) return what + "; did you mean " + in_quotes(close) + "?";
  if (const Table* home = home_of(name)) return what + "; it belongs " + place(*home);
  return what + "; expected " + listed(names);
}

}  // namespace clusterd::config
