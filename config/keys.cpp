#include "config/keys.h"

#include "config/keys_of_programs.h"

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
    {"agent", "[agent]"},
    {"restart", "[restart]"},
    {"restart.backoff", "restart.backoff"},
    {"reload", "[reload]"},
    {"schedule", "[[schedule]]"},
    {"control", "[control]"},
    {"messages", "[messages]"},
    {"http", "[http]"},
    {"log", "[log]"},
    {"hooks", "[hooks]"},
};

constexpr Key kFirst[] = {
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
    {"", "agent", Form::other, "table", "{}", "your own program beside the workers"},
    {"", "restart", Form::other, "table", "{}", "how dead workers are replaced"},
    {"", "reload", Form::other, "table", "{}", "how one generation of workers follows another"},
    {"", "schedule", Form::other, "[[schedule]] tables", "[]", "what is done again and again"},
    {"", "control", Form::other, "table", "{}", "how clusterd's commands find the master"},
    {"", "messages", Form::other, "table", "{}", "what programs send each other"},
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
};

/// What follows the keys of programs.
constexpr Key kRest[] = {
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

    {"schedule", "name", Form::text, "1 to 64 of A-Z a-z 0-9 . _ -, no dot first", "required",
     "what the schedule is called", R"("refresh")"},
    {"schedule", "every", Form::text, "duration", "none", "how often; it or cron is there",
     R"("10m")"},
    {"schedule", "cron", Form::text, "5 or 6 fields, as in cron(5), or a word such as @daily",
     "none", "or: when, by the machine's clock", R"("0 0 * * *")"},
    {"schedule", "target", Form::text, R"("one", "all" or "agent")", R"("one")",
     "who does it: one worker in turn, every worker, the agent program"},
    {"schedule", "action", Form::text, "text of 1 to 256 bytes", "the schedule's name",
     "the message's action", R"("refresh")"},
    {"schedule", "data", Form::text, "JSON in a string", R"("null")", "the message's data"},
    {"schedule", "command", Form::other, kArgv, "[]",
     "or: a program and its arguments, run instead of a message"},
    {"schedule", "immediate", Form::other, "true or false", "false", "once at the beginning, too"},
    {"schedule", "overlap", Form::text, R"("skip", "queue" or "allow")", R"("skip")",
     "what becomes of a run while the one before is not over"},
    {"schedule", "timeout", Form::text, R"(duration, "0" = never)", R"("5m")",
     "a run that is not over by then has failed; a command is killed"},

    {"control", "socket", Form::text, "path", "NAME/ctl.sock in clusterd's run folder",
     "where clusterd's commands reach the master", R"("ctl.sock")"},
    {"control", "mode", Form::text, "octal string", R"("0600", and with a group "0660")",
     "the permissions of the socket's file", R"("0600")"},
    {"control", "group", Form::text, "group name or number", "none",
     "its members may command the master too", R"("adm")"},

    {"messages", "queue", Form::other, R"(bytes from "128KiB" to "1GiB")", R"("1MiB")",
     "so much may wait for a receiver that does not read"},
    {"messages", "policy", Form::text, R"("error" or "drop-oldest")", R"("error")",
     "which message is lost then; its sender is told"},

    {"http", "address", Form::text, R"("HOST:PORT", "[IPV6]:PORT" or "unix:PATH")", "not served",
     "where the agent answers /healthz, /readyz and /metrics", R"("127.0.0.1:9180")"},

    {"log", "level", Form::text, R"("trace", "debug", "info", "warn", "error" or "off")",
     R"("info")", "the least important lines that are written"},
    {"log", "format", Form::text, R"("text" or "json")", R"("text")",
     "what a line looks like; json = an object each"},
    {"log", "file", Form::text, "path", "stdout and stderr",
     "where it is written instead; USR1 opens it anew", R"("/var/log/shop.log")"},
    {"log", "capture", Form::other, "true or false", "true",
     "workers write their output through the master"},
    {"log", "frame", Form::other, "true or false", "true",
     "time, slot and pid before each line, and no control characters"},
    {"log", "rotate", Form::text, R"("daily", "hourly" or a size such as "100MiB")", "never",
     "when a new file is begun; the agent writes it then, as user", R"("daily")"},
    {"log", "keep", Form::other, "integer from 0 to 100000", "31",
     "rotate: old files that stay; the oldest go first"},
    {"log", "gzip", Form::other, "true or false", "true", "rotate: old files are compressed"},
    {"log", "max_total", Form::other, R"(bytes, or a string such as "1GiB")", R"("1GiB")",
     "rotate: what all files may have together; 0 = no bound"},

    {"hooks", "start", Form::other, kArgv, "[]", "the cluster starts"},
    {"hooks", "fork", Form::other, kArgv, "[]", "a process is made for a worker or an agent"},
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
    {"hooks", "run", Form::other, kArgv, "[]", "a run of a schedule is over, or was left out"},
    {"hooks", "upgrade", Form::other, kArgv, "[]", "another version of clusterd takes over"},
    {"hooks", "agent_exit", Form::other, kArgv, "[]", "the agent or the agent program has ended"},
    {"hooks", "agent_error", Form::other, kArgv, "[]",
     "an exception has escaped a handler of the agent program"},
    {"hooks", "stop", Form::other, kArgv, "[]", "the cluster stops"},
};

}  // namespace

std::span<const Table> tables() { return kTables; }
std::span<const Key> keys() {
  static const std::vector<Key> all = [] {
    std::vector<Key> joined(std::begin(kFirst), std::end(kFirst));
    const auto programs = keys_of_programs();
    joined.insert(joined.end(), programs.begin(), programs.end());
    joined.insert(joined.end(), std::begin(kRest), std::end(kRest));
    return joined;
  }();
  return all;
}

}  // namespace clusterd::config
