#pragma once

#include <compare>
#include <cstdint>
#include <string>

namespace clusterd {

/// A seat in the pool: 0..n-1, stable, inherited by the replacement. CLUSTERD_SLOT.
enum class SlotId : std::uint32_t {};

/// One load of the configuration: workers of one generation run the same program and settings.
enum class Generation : std::uint32_t {};

enum class Role : std::uint8_t { agent, worker };

/// One life of one child. `number` is 1, 2, ... within its role and never used again; for a
/// worker it is CLUSTERD_WORKER_ID.
struct ChildId {
  Role role = Role::worker;
  std::uint32_t number = 0;

  friend auto operator<=>(const ChildId&, const ChildId&) = default;
};

[[nodiscard]] constexpr std::uint32_t number_of(SlotId slot) {
  return static_cast<std::uint32_t>(slot);
}
[[nodiscard]] constexpr std::uint32_t number_of(Generation generation) {
  return static_cast<std::uint32_t>(generation);
}

/// "worker 7", "agent 1"
[[nodiscard]] inline std::string to_string(ChildId id) {
  return (id.role == Role::agent ? "agent " : "worker ") + std::to_string(id.number);
}

}  // namespace clusterd
