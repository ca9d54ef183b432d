#pragma once

#include "config/settings.h"

#include <string_view>
#include <utility>

namespace clusterd::config {

// The keys of each table of app.conf.
inline constexpr std::string_view kTopKeys[] = {"name",    "workers", "listen", "worker",
                                                "restart", "control", "log"};
inline constexpr std::string_view kListenKeys[] = {"name", "address", "policy", "backlog"};
inline constexpr std::string_view kWorkerKeys[] = {"command",       "env",           "protocol",
                                                   "ready_timeout", "drain_timeout", "kill_timeout",
                                                   "stall_timeout", "max_pending"};
inline constexpr std::string_view kRestartKeys[] = {"backoff"};
inline constexpr std::string_view kBackoffKeys[] = {"first", "max"};
inline constexpr std::string_view kControlKeys[] = {"socket"};
inline constexpr std::string_view kLogKeys[] = {"level"};

// The words that a key may have as its value.
inline constexpr std::pair<std::string_view, Policy> kPolicies[] = {
    {"round-robin", Policy::round_robin}, {"accept-race", Policy::accept_race}};
inline constexpr std::pair<std::string_view, Protocol> kProtocols[] = {
    {"auto", Protocol::native}, {"native", Protocol::native}};
inline constexpr std::pair<std::string_view, LogLevel> kLevels[] = {
    {"trace", LogLevel::trace}, {"debug", LogLevel::debug}, {"info", LogLevel::info},
    {"warn", LogLevel::warn},   {"error", LogLevel::error}, {"off", LogLevel::off}};

// What is planned: it gets a mistake that says so, not one that says it is unknown.
inline constexpr std::string_view kLaterForms[] = {"unix:", "udp://", "systemd:"};
inline constexpr std::string_view kLaterProtocols[] = {"node", "node-fork", "listen-fds", "none"};

}  // namespace clusterd::config
