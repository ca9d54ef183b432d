#pragma once

#include <arpa/inet.h>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <netinet/in.h>

/// The fast path between the master and a native worker: what is on the shared page, and what a
/// message on the connection socket looks like. Both ends run on one machine and were built from
/// one protocol version (checked by hello), so these are plain structs in host byte order.
namespace clusterd::handoff {

inline constexpr std::size_t kPageSize = 4096;
inline constexpr std::uint32_t kMaxBatch = 64;      ///< connections a message
inline constexpr std::uint32_t kMaxListeners = 64;  ///< [[listen]] tables

/// {limit, taken}: two sequence numbers modulo 2^32 in one word, so that "take one" (worker) and
/// "take back all that is left" (master) exclude each other by compare-and-swap.
struct Window {
  std::uint32_t limit = 0;  ///< the worker may take only sequences before this one
  std::uint32_t taken = 0;  ///< the sequence it takes next

  [[nodiscard]] static constexpr Window unpack(std::uint64_t word) {
    return {static_cast<std::uint32_t>(word >> 32), static_cast<std::uint32_t>(word)};
  }
  [[nodiscard]] constexpr std::uint64_t pack() const {
    return (std::uint64_t{limit} << 32) | taken;
  }
};

/// a comes before b, in arithmetic modulo 2^32.
[[nodiscard]] constexpr bool before(std::uint32_t a, std::uint32_t b) {
  return static_cast<std::int32_t>(a - b) < 0;
}

/// What the master asks for on the page before it sleeps with copies of offered connections in
/// hand. Whoever does it clears the word, and then writes the eventfd. Under load the master does
/// not sleep, and nobody writes.
namespace wake {
inline constexpr std::uint32_t kNever = 0;
/// By the next take: others wait for the room that it makes.
inline constexpr std::uint32_t kAtTake = 1;
/// By the next connection that is taken and leaves the library's hands. Who closes it then may not
/// shut it down before, and the master's copy would hold back the end. One that the library closes
/// has been shut down: the master closes its copy in its own time.
inline constexpr std::uint32_t kAtDetach = 2;
}  // namespace wake

/// The shared page. The master believes nothing that it reads here: see OfferLedger::claim. Each
/// group of fields that one side writes often has a cache line of its own.
struct Page {
  alignas(64) std::atomic<std::uint64_t> window;

  alignas(64) std::atomic<std::uint32_t> want_wake;  ///< see wake; dropping counts as either
  /// Set by the master while the worker holds as many connections as it may: the next one that it
  /// closes clears this and writes the eventfd.
  std::atomic<std::uint32_t> want_room;

  /// Written by the worker only; all are claims.
  alignas(64) std::atomic<std::uint32_t> dropped;  ///< revoked offers before this are thrown away
  std::atomic<std::uint32_t> active;               ///< connections it holds
  std::atomic<std::uint64_t> requests;             ///< since it started
  std::atomic<std::uint64_t> accepted[kMaxListeners];  ///< in accept race, since it started
  std::atomic<std::uint64_t> turns;  ///< of its loop: one that stands still hangs, or idles
};
static_assert(sizeof(Page) <= kPageSize);
// docs/PROTOCOL.md says so, and workers in other languages rely on it.
static_assert(offsetof(Page, want_wake) == 64 && offsetof(Page, want_room) == 68);
static_assert(offsetof(Page, dropped) == 128 && offsetof(Page, active) == 132);
static_assert(offsetof(Page, requests) == 136 && offsetof(Page, accepted) == 144);
static_assert(offsetof(Page, turns) == 656);
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

/// The client's address, so that the worker need not ask the kernel.
struct Peer {
  std::uint16_t family = 0;  ///< AF_INET, AF_INET6, or 0 for none
  std::uint16_t port = 0;    ///< host byte order
  std::uint8_t address[16] = {};
};

struct Offer {
  std::uint32_t listener = 0;
  Peer peer;
};

/// One SEQPACKET message: this header, `count` offers, and `count` descriptors in their order.
struct MessageHeader {
  std::uint32_t first_sequence = 0;
  std::uint32_t count = 0;
};

struct Message {
  MessageHeader header;
  Offer offers[kMaxBatch];

  [[nodiscard]] std::size_t size() const {
    return sizeof(MessageHeader) + header.count * sizeof(Offer);
  }
};

static_assert(sizeof(Offer) == 24 && offsetof(Message, offers) == 8);

/// A number for the client's address, without its port: connections of one client have the same.
[[nodiscard]] inline std::uint64_t client_of(const Peer& peer) {
  std::uint64_t halves[2];
  std::memcpy(halves, peer.address, sizeof halves);
  return halves[0] * 0x9E37'79B9'7F4A'7C15ULL ^ halves[1] ^ peer.family;
}

[[nodiscard]] inline Peer to_peer(const sockaddr_storage& address) {
  Peer peer;
  peer.family = address.ss_family;
  if (address.ss_family == AF_INET) {
    const auto& in = reinterpret_cast<const sockaddr_in&>(address);
    peer.port = ntohs(in.sin_port);
    std::memcpy(peer.address, &in.sin_addr, sizeof in.sin_addr);
  } else if (address.ss_family == AF_INET6) {
    const auto& in = reinterpret_cast<const sockaddr_in6&>(address);
    peer.port = ntohs(in.sin6_port);
    std::memcpy(peer.address, &in.sin6_addr, sizeof in.sin6_addr);
  }
  return peer;
}

}  // namespace clusterd::handoff
