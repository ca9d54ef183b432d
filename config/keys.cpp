#include "config/keys.h"

#include "config/nearest.h"
#include "config/words.h"

#include <algorithm>
#include <vector>

namespace clusterd::config {
namespace {

constexpr std::string_view kArgv = "array of strings";

constexpr Table kTables[] = {
    {"", "the top level"},
    {"listen", "[[listen]]"},
    {"worker", "[worker]"},
    {"worker.ready", "worker.ready"},
    {"worker.recycle", "worker.recycle"},
    {"restart", "[restart]"},
    {"restart.backoff", "restart.backoff"},
    {"reload", "[reload]"},
    {"control", "[control]"},
    {"http", "[http]"},
    {"log", "[log]"},
    {"hooks", "[hooks]"},
};

constexpr Key kKeys[] = {
    {"", "name", Form::text, "1 to 64 of A-Z a-z 0-9 . _ -, no dot first",
     "the file's name without its ending", "the cluster's name", R"("shop")"},
    {"", "workers", Form::other, R"("auto" or an integer from 1 to 1024)", R"("auto")",
     "worker processes; auto = as many as there are CPUs for them"},
    {"", "pidfile", Form::text, "path", "none", "a file with the master's pid, locked by it",
     R"("/run/shop.pid")"},
    {"", "stop_delay", Form::text, R"(duration, "0" = none)", R"("0s")",
     "a stop serves on for so long first, and says it is not ready"},
    {"", "user", Form::text, "user name or number", "the user that runs clusterd",
     "whom workers and the agent run as", R"("www-data")"},
    {"", "group", Form::text, "group name or number", "the user's own", "their group; needs user",
     R"("www-data")"},
    {"", "listen", Form::other, "[[listen]] tables", "required", "where clients connect",
     R"([{ address = "127.0.0.1:8080" }])"},
    {"", "worker", Form::other, "table", "required", "the program that serves them",
     R"({ command = ["./server"] })"},
    {"", "restart", Form::other, "table", "{}", "how dead workers are replaced"},
    {"", "reload", Form::other, "table", "{}", "how one generation of workers follows another"},
    {"", "control", Form::other, "table", "{}", "how clusterd's commands find the master"},
    {"", "http", Form::other, "table", "{}", "health and metrics over HTTP"},
    {"", "log", Form::other, "table", "{}", "where the log goes, and how much of it"},
    {"", "hooks", Form::other, "table", "{}", "programs that are run when something happens"},

    {"listen", "name", Form::text, "1 to 64 of A-Z a-z 0-9 . _ - : [ ]", "the address",
     "what the listener is called", R"("http")"},
    {"listen", "address", Form::text,
     R"("HOST:PORT", "[IPV6]:PORT", "udp://HOST:PORT", "unix:PATH" or "systemd:NAME")", "required",
     "where it listens, in numbers; port 0 = any; systemd: = passed", R"("127.0.0.1:8080")"},
    {"listen", "policy", Form::text,
     R"("round-robin", "accept-race", "least-connections" or "sticky")", R"("round-robin")",
     "who gets a connection; udp:// has accept-race alone"},
    {"listen", "backlog", Form::other, "integer from 1 to 65535", "4096",
     "connections that may wait in the kernel"},
    {"listen", "queue_timeout", Form::text, R"(duration, "0" = for ever)", R"("30s")",
     "a connection that no worker takes for so long is reset"},
    {"listen", "nonblocking", Form::other, "true or false", "true",
     "listen-fds: false = workers find a socket that blocks"},
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
    {"worker", "protocol", Form::text,
     R"("native", "node", "node-fork", "listen-fds", "none" or "auto")", R"("auto")",
     "how master and worker talk; auto knows it by the program"},
    {"worker", "stdin", Form::text, "name of a [[listen]]", "none",
     "listen-fds: a socket that is descriptor 0 as well", R"("http")"},
    {"worker", "ready", Form::other,
     R"("auto", "listening", "message", "notify", "none" or a table)", R"("auto")",
     "what shows that a worker that is not native is ready"},
    {"worker", "drain_signal", Form::text,
     R"("TERM", "QUIT", "INT", "HUP", "USR1", "USR2" or "WINCH")", R"("TERM")",
     "listen-fds, none: the signal that asks a worker to leave"},
    {"worker", "policy", Form::text,
     R"("round-robin", "accept-race", "least-connections" or "sticky")", R"("round-robin")",
     "of addresses that a program of Node opens, in no [[listen]]"},
    {"worker", "ready_timeout", Form::text, "duration", R"("30s")",
     "a new worker must be ready in this time"},
    {"worker", "drain_timeout", Form::text, "duration", R"("5s")",
     "a leaving worker may finish its connections for so long, ..."},
    {"worker", "kill_timeout", Form::text, "duration", R"("5s")",
     "... has this long after SIGTERM, and then gets SIGKILL"},
    {"worker", "stall_timeout", Form::text, R"(duration, "0" = off)", R"("1s")",
     "connections that a worker does not take go to others after it"},
    {"worker", "heartbeat_timeout", Form::text, R"(duration, "0" = off)", R"("30s")",
     "a worker whose loop does not turn for so long is killed"},
    {"worker", "recycle", Form::other, "table",
     R"({ requests = 0, lifetime = "0s", memory = "0", jitter = 0.1 })",
     "when a worker that is well is replaced"},
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
    {"worker", "nproc", Form::other, R"(integer from 1 to 1000000000, or "unlimited")",
     "clusterd's own", "processes and threads that the user may have (RLIMIT_NPROC)", "512"},
    {"worker", "memlock", Form::other, R"(bytes, a string such as "64MiB", or "unlimited")",
     "clusterd's own", "memory that a worker may lock (RLIMIT_MEMLOCK)", R"("64MiB")"},
    {"worker", "core", Form::other, R"(bytes, a string such as "1GiB", or "unlimited")",
     "clusterd's own", "the largest core file; 0 = none (RLIMIT_CORE)", R"("0")"},
    {"worker", "nice", Form::other, "integer from -20 to 19", "clusterd's own",
     "the workers' priority; less than clusterd's needs privilege", "5"},
    {"worker", "sched", Form::text, R"("other" or "batch")", R"("other")",
     "the kernel's scheduling policy for workers"},
    {"worker", "affinity", Form::other, R"("none", "slot", or an array of CPU numbers)",
     R"("none")", "slot = one CPU for each slot; an array = one of these, in turn"},

    {"worker.ready", "alive", Form::text, R"(duration, "0" = at once)", R"("1s")",
     "it has lived so long"},
    {"worker.ready", "tcp", Form::other, "true or false", "false",
     "and then a connection to the listener was accepted"},
    {"worker.ready", "http", Form::text, "path of a request", "not asked",
     "or a request for this was answered with 2xx or 3xx", R"("/healthz")"},
    {"worker.ready", "listener", Form::text, "name of a [[listen]]", "the first",
     "where that is seen", R"("http")"},

    {"worker.recycle", "requests", Form::other, "integer from 0 to 1000000000000", "0",
     "after so many requests; 0 = off"},
    {"worker.recycle", "lifetime", Form::text, R"(duration, "0" = off)", R"("0s")",
     "when it has lived so long"},
    {"worker.recycle", "memory", Form::other, R"(bytes, or a string such as "512MiB")", R"("0")",
     "when it holds so much memory; 0 = off"},
    {"worker.recycle", "jitter", Form::other, "number from 0 to 1", "0.1",
     "each worker's limits differ by a random share of up to this"},

    {"restart", "limit", Form::other, R"("auto" or an integer from 1 to 100000)", R"("auto")",
     "deaths in window that mean give-up; auto = max(10, 3 x workers)"},
    {"restart", "window", Form::text, "duration", R"("60s")", "the time in which deaths count"},
    {"restart", "backoff", Form::other, "table", R"({ first = "100ms", max = "10s" })",
     "the wait before a dead worker is replaced"},
    {"restart", "on_giveup", Form::text, R"("degrade" or "exit")", R"("degrade")",
     "degrade = healthy workers stay; exit = stop, with exit code 75"},
    {"restart", "giveup_retry", Form::text, "duration", R"("60s")",
     "after a give-up one worker is tried so often"},
    {"restart.backoff", "first", Form::text, "duration", R"("100ms")",
     "the wait after a second death in a row; it doubles with each"},
    {"restart.backoff", "max", Form::text, "duration", R"("10s")",
     "the wait grows to this; a worker ready for so long starts anew"},

    {"reload", "surge", Form::other, "integer from 0 to 1024", "1",
     "workers that there may be too many while others are replaced"},
    {"reload", "max_unavailable", Form::other, "integer from 0 to 1024", "0",
     "workers that there may be too few meanwhile"},
    {"reload", "max_generations", Form::other, "integer from 2 to 100", "3",
     "generations that may have workers at once"},
    {"reload", "settle", Form::text, R"(duration, "0" = none)", R"("1s")",
     "new workers must stay ready for so long before old ones leave"},

    {"control", "socket", Form::text, "path", "NAME/ctl.sock in clusterd's run folder",
     "where clusterd's commands reach the master", R"("ctl.sock")"},
    {"control", "mode", Form::text, "octal string", R"("0600", and with a group "0660")",
     "the permissions of the socket's file", R"("0600")"},
    {"control", "group", Form::text, "group name or number", "none",
     "its members may command the master too", R"("adm")"},

    {"http", "address", Form::text, R"("HOST:PORT", "[IPV6]:PORT" or "unix:PATH")", "not served",
     "where the agent answers /healthz, /readyz and /metrics", R"("127.0.0.1:9180")"},

    {"log", "level", Form::text, R"("trace", "debug", "info", "warn", "error" or "off")",
     R"("info")", "the least important lines that are written"},
    {"log", "file", Form::text, "path", "stdout and stderr",
     "where it is written instead; USR1 opens it anew", R"("/var/log/shop.log")"},
    {"log", "capture", Form::other, "true or false", "true",
     "workers write their output through the master"},
    {"log", "frame", Form::other, "true or false", "true",
     "time, slot and pid before each line, and no control characters"},

    {"hooks", "start", Form::other, kArgv, "[]", "the cluster starts"},
    {"hooks", "fork", Form::other, kArgv, "[]", "a process is made for a worker or the agent"},
    {"hooks", "online", Form::other, kArgv, "[]", "a child has said hello"},
    {"hooks", "listening", Form::other, kArgv, "[]", "a worker serves a listener"},
    {"hooks", "ready", Form::other, kArgv, "[]", "a worker is ready for connections"},
    {"hooks", "drain", Form::other, kArgv, "[]", "a worker is asked to finish and leave"},
    {"hooks", "suicide", Form::other, kArgv, "[]", "a worker says that it will go"},
    {"hooks", "stall", Form::other, kArgv, "[]", "a worker takes no connections: others get them"},
    {"hooks", "hang", Form::other, kArgv, "[]", "a worker's loop has stopped: it is killed"},
    {"hooks", "disconnect", Form::other, kArgv, "[]", "a child's channel has ended"},
    {"hooks", "exit", Form::other, kArgv, "[]", "a worker's process has ended"},
    {"hooks", "giveup", Form::other, kArgv, "[]",
     "too many deaths: only one worker now and then is tried"},
    {"hooks", "recover", Form::other, kArgv, "[]",
     "after a give-up a worker is ready: the pool fills up"},
    {"hooks", "reload", Form::other, kArgv, "[]", "a reload is done, or has failed"},
    {"hooks", "scale", Form::other, kArgv, "[]", "the number of workers has changed"},
    {"hooks", "upgrade", Form::other, kArgv, "[]", "another version of clusterd takes over"},
    {"hooks", "agent_exit", Form::other, kArgv, "[]", "the agent's process has ended"},
    {"hooks", "stop", Form::other, kArgv, "[]", "the cluster stops"},
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

std::string keys_for_set() {
  std::string names;
  for (const Key& key : keys()) {
    const bool is_table = key.table != "listen" && find_table(path_of(key.table, key.name));
    if (key.table == "listen" || is_table) continue;
    names += path_of(key.table, key.name) + "\n";
  }
  return names;
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
