#pragma once

#include "common/ids.h"

#include <array>
#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace clusterd::core {

/// Messages of programs that wait for one receiver: the bytes of its stream, and whose they are. A
/// ring that grows as far as it may, so that in the long run a message costs no allocation and what
/// waits is sent by one call. Of each message is known until when it can be lost: until it is
/// sent, or, by a receiver that says so, until it was heard.
class MessageQueue {
 public:
  /// What there is to know of a message when it is lost.
  struct Ticket {
    ChildId sender{};
    bool is_request = false;
    bool is_counted = true;  ///< by a receiver that tells: it is no line of the master's own
  };
  struct Lost {
    Ticket ticket;
    std::string line;  ///< without its newline
  };

  /// The receiver tells by heard() what it has heard, from its first message on. What it was sent
  /// before this is known is not told when it is lost.
  void receiver_tells() { told_ = true; }

  /// A line without its newline can ever wait, if nothing else does.
  [[nodiscard]] static bool may_fit(std::string_view line, std::size_t most);
  /// A line without its newline. False if it does not fit into `most` bytes with what waits.
  [[nodiscard]] bool push(std::string_view line, Ticket ticket, std::size_t most);
  /// The oldest of which nothing was sent, if there is one.
  [[nodiscard]] std::optional<Lost> drop_oldest();

  /// What is to be sent, in this order; empty ones may be among them.
  [[nodiscard]] std::array<std::string_view, 3> next() const;
  /// The rest of a line that was sent in part. Nothing may be sent before it.
  [[nodiscard]] std::string_view begun() const;
  void sent(std::size_t bytes);
  void heard(std::size_t messages);

  /// Nothing is left to send.
  [[nodiscard]] bool empty() const { return waiting_.empty() && begun().empty(); }
  /// What waits to be sent, as it counts against the bound.
  [[nodiscard]] std::size_t size() const;

  /// The receiver is gone: those that were sent, at least in part, and that it has not said it
  /// heard; the oldest first.
  [[nodiscard]] std::vector<Ticket> take_unheard();

 private:
  struct Waiting {
    Ticket ticket;
    std::size_t bytes = 0;  ///< with the newline
  };

  void append(std::string_view bytes);
  void reserve(std::size_t bytes, std::size_t most);
  [[nodiscard]] std::string front(std::size_t bytes) const;
  void skip(std::size_t bytes);
  void finished(Ticket ticket);

  std::unique_ptr<char[]> ring_;
  std::size_t capacity_ = 0;
  std::size_t head_ = 0;
  std::size_t bytes_ = 0;  ///< in the ring: whole lines
  std::deque<Waiting> waiting_;
  std::string begun_;
  std::size_t begun_sent_ = 0;
  Ticket begun_ticket_;
  std::deque<Ticket> unheard_;
  bool told_ = false;
  std::size_t unknown_ = 0;  ///< messages that were sent before it was known that it tells
};

}  // namespace clusterd::core
