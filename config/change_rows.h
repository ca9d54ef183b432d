#pragma once

#include "config/settings.h"

#include <span>
#include <string>
#include <string_view>

/// The keys of app.conf that are compared when another one is to be in force, and how their values
/// are shown (config/changes.h).
namespace clusterd::config::change_rows {

template <typename Owner>
struct Row {
  std::string_view key;
  std::string (*text)(const Owner&);
};

/// What a reload cannot change.
[[nodiscard]] std::span<const Row<Settings>> fixed();
/// What is said before the tables of programs, and after them.
[[nodiscard]] std::span<const Row<Settings>> top();
[[nodiscard]] std::span<const Row<Settings>> tables();
[[nodiscard]] std::span<const Row<Listen>> listen();
[[nodiscard]] std::span<const Row<Schedule>> schedule();
/// Of [worker]; those of them that are keys of [agent] are its as well.
[[nodiscard]] std::span<const Row<Worker>> program();
/// Of [agent] alone.
[[nodiscard]] std::span<const Row<Agent>> agent();

[[nodiscard]] std::string address(const Listen& listen);
/// "every 10s", or the cron line.
[[nodiscard]] std::string when(const Schedule& schedule);

}  // namespace clusterd::config::change_rows
