#pragma once

#include <compare>
#include <cstdint>
#include <string>

namespace clusterd {

/// A seat in the pool: 0..n-1, stable, inherited by the replacement. CLUSTERD_SLOT.
enum class SlotId : std::uint32_t {};

/// One load of the configuration: workers of one generation run the same program and settings.
enum class Generation : std::uint32_t {};

/// Who a child is for the master: the agent that is this program itself, the user's agent program,
/// or a worker.
enum class Role : std::uint8_t { agent, program, worker };  // in this order they start

/// One life of one child. `number` is 1, 2, ... within its role and never used again; for a
/// worker it is CLUSTERD_WORKER_ID.
struct ChildId {
  Role role = Role::worker;
  std::uint32_t number = 0;

  friend auto operator<=>(const ChildId&, const ChildId&) = default;
};

inline constexpr Role kRoles[] = {Role::agent, Role::program, Role::worker};

[[nodiscard]] constexpr std::uint32_t number_of(SlotId slot) {
  return static_cast<std::uint32_t>(slot);
}
[[nodiscard]] constexpr std::uint32_t number_of(Generation generation) {
  return static_cast<std::uint32_t>(generation);
}

/// "worker", "agent program", "agent"
[[nodiscard]] constexpr const char* to_string(Role role) {
  switch (role) {
    case Role::agent:
      return "agent";
    case Role::program:
      return "agent program";
    case Role::worker:
      break;
  }
  return "worker";
}
/// "worker 7", "agent program 2", "agent 1"
[[nodiscard]] inline std::string to_string(ChildId id) {
  return std::string(to_string(id.role)) + ' ' + std::to_string(id.number);
}

}  // namespace clusterd
