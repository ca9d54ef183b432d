#pragma once

#include <cstdint>

namespace clusterd::detail {

// What an epoll event is about: its kind, and for the last two a listener's index, a descriptor.
inline constexpr std::uint64_t kChannel = 1;
inline constexpr std::uint64_t kOffers = 2;
inline constexpr std::uint64_t kChanged = 3;
inline constexpr std::uint64_t kDeadline = 4;
inline constexpr std::uint64_t kPause = 5;
inline constexpr std::uint64_t kMessages = 6;  ///< every turn looks after them
inline constexpr std::uint64_t kListener = 1ULL << 32;
inline constexpr std::uint64_t kWatched = 2ULL << 32;
inline constexpr std::uint64_t kIndex = 0xFFFF'FFFFULL;

}  // namespace clusterd::detail
