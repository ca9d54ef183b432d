#pragma once

#include <cstdint>
#include <string_view>

namespace clusterd {

/// The way back to who sent a request. May be kept; an answer that comes too late is dropped.
struct ReplyTo {
  std::int64_t pid = 0;
  std::int64_t request = 0;
};

/// A message from a program of the cluster, maybe this one. Valid while its handler runs.
struct Message {
  std::string_view action;
  std::string_view data;        ///< JSON, as the sender wrote it; "null" if it sent none
  std::int64_t sender_pid = 0;  ///< as the sender says; 0 if it does not
  std::int64_t request = 0;     ///< not 0: its sender waits for a reply()

  [[nodiscard]] ReplyTo reply_to() const { return {sender_pid, request}; }
};

/// How a request ended. Valid while its handler runs.
struct Answer {
  enum class Outcome : std::uint8_t {
    answered,
    timed_out,    ///< there was no answer in time; one that comes later is dropped
    undelivered,  ///< nobody got it
    gone,         ///< who had been sent it has ended
  };
  Outcome outcome = Outcome::answered;
  std::string_view data = "null";  ///< JSON, as it was written
  std::int64_t sender_pid = 0;     ///< as the sender says; 0 if there is no answer

  explicit operator bool() const { return outcome == Outcome::answered; }
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
