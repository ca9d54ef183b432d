#pragma once

#include "config/settings.h"

#include <csignal>
#include <string_view>
#include <utility>

namespace clusterd::config {

// The words that a key may have as its value.
inline constexpr std::pair<std::string_view, Policy> kPolicies[] = {
    {"round-robin", Policy::round_robin},
    {"accept-race", Policy::accept_race},
    {"least-connections", Policy::least_connections},
    {"sticky", Policy::sticky}};
inline constexpr std::pair<std::string_view, Protocol> kProtocols[] = {
    {"native", Protocol::native},
    {"node", Protocol::node},
    {"node-fork", Protocol::node_fork},
    {"listen-fds", Protocol::listen_fds},
    {"none", Protocol::none},
    {"auto", Protocol::native}};  // the last, since its meaning is one of the others
inline constexpr std::pair<std::string_view, Ready::When> kReadyWays[] = {
    {"auto", Ready::When::automatic},
    {"listening", Ready::When::listening},
    {"message", Ready::When::message},
    {"notify", Ready::When::notified},
    {"none", Ready::When::started}};
inline constexpr std::pair<std::string_view, Protocol> kAgentProtocols[] = {
    {"native", Protocol::native},
    {"node-fork", Protocol::node_fork},
    {"none", Protocol::none},
    {"auto", Protocol::native}};
inline constexpr std::pair<std::string_view, Ready::When> kAgentReadyWays[] = {
    {"auto", Ready::When::automatic}, {"none", Ready::When::started}};
inline constexpr std::pair<std::string_view, int> kDrainSignals[] = {
    {"TERM", SIGTERM}, {"QUIT", SIGQUIT}, {"INT", SIGINT},    {"HUP", SIGHUP},
    {"USR1", SIGUSR1}, {"USR2", SIGUSR2}, {"WINCH", SIGWINCH}};
inline constexpr std::pair<std::string_view, Sched> kScheds[] = {{"other", Sched::other},
                                                                 {"batch", Sched::batch}};
inline constexpr std::pair<std::string_view, Affinity::Kind> kAffinities[] = {
    {"none", Affinity::Kind::none}, {"slot", Affinity::Kind::slot}};
inline constexpr std::pair<std::string_view, OnGiveup> kOnGiveups[] = {
    {"degrade", OnGiveup::degrade}, {"exit", OnGiveup::exit}};
inline constexpr std::pair<std::string_view, Schedule::Target> kTargets[] = {
    {"one", Schedule::Target::one},
    {"all", Schedule::Target::all},
    {"agent", Schedule::Target::agent}};
inline constexpr std::pair<std::string_view, Schedule::Overlap> kOverlaps[] = {
    {"skip", Schedule::Overlap::skip},
    {"queue", Schedule::Overlap::queue},
    {"allow", Schedule::Overlap::allow}};
inline constexpr std::pair<std::string_view, Messages::Policy> kMessagePolicies[] = {
    {"error", Messages::Policy::error}, {"drop-oldest", Messages::Policy::drop_oldest}};
inline constexpr std::pair<std::string_view, LogLevel> kLevels[] = {
    {"trace", LogLevel::trace}, {"debug", LogLevel::debug}, {"info", LogLevel::info},
    {"warn", LogLevel::warn},   {"error", LogLevel::error}, {"off", LogLevel::off}};
inline constexpr std::pair<std::string_view, LogFormat> kLogFormats[] = {{"text", LogFormat::text},
                                                                         {"json", LogFormat::json}};

}  // namespace clusterd::config
