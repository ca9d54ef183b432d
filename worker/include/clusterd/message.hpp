#pragma once

#include <cstdint>
#include <string_view>

namespace clusterd {

/// A message from a program of the cluster, maybe this one. Valid while its handler runs.
struct Message {
  std::string_view action;
  std::string_view data;        ///< JSON, as the sender wrote it; "null" if it sent none
  std::int64_t sender_pid = 0;  ///< as the sender says; 0 if it does not
};

/// Whom a message is for. The master knows who is alive; nobody else has to.
class To {
 public:
  /// Every worker and the agent program, the sender too.
  static constexpr To all() { return {Kind::all, 0}; }
  /// Every worker, the sender too.
  static constexpr To app() { return {Kind::app, 0}; }
  /// The agent program.
  static constexpr To agent() { return {Kind::agent, 0}; }
  /// One worker that is ready: another one each time, in turn.
  static constexpr To random() { return {Kind::random, 0}; }
  /// The process with this number.
  static constexpr To pid(std::int64_t number) { return {Kind::pid, number}; }
  /// The worker in this slot: a replacement has its predecessor's.
  static constexpr To slot(std::uint32_t number) { return {Kind::slot, number}; }

  enum class Kind : std::uint8_t { all, app, agent, random, pid, slot };
  [[nodiscard]] constexpr Kind kind() const { return kind_; }
  [[nodiscard]] constexpr std::int64_t number() const { return number_; }

 private:
  constexpr To(Kind kind, std::int64_t number) : kind_(kind), number_(number) {}

  Kind kind_;
  std::int64_t number_;
};

}  // namespace clusterd
