#pragma once

#include <cassert>
#include <cstdint>

namespace clusterd::core {

/// When a descriptor may be sent to one Node process. libuv keeps what arrives in one queue, and
/// takes from it by the lines: with two on their way, or with one and a probe, a descriptor can
/// come with another's line, and all that follow are off by one for good. So one thing is on its
/// way at a time, and the process answers each.
class NodeGate {
 public:
  enum class Way : std::uint8_t {
    free,
    descriptor,  ///< sent, and not acknowledged
    probe,       ///< a line that asks for an answer, without a descriptor
  };
  enum class Answer : std::uint8_t {
    unasked,  ///< nothing was on its way: it means nothing
    arrived,  ///< the descriptor is there
    lost,     ///< its line is there, and it is not: the process has no room for it
    jammed,   ///< lost twice in a row: it will not get well
    alive,    ///< to a probe
  };

  [[nodiscard]] Way way() const { return way_; }
  [[nodiscard]] bool is_free() const { return way_ == Way::free; }

  void sent_descriptor() {
    assert(is_free());
    way_ = Way::descriptor;
  }
  void sent_probe() {
    assert(is_free());
    way_ = Way::probe;
  }

  [[nodiscard]] Answer acknowledged() {
    if (way_ != Way::descriptor) return Answer::unasked;
    way_ = Way::free;
    lost_in_a_row_ = 0;
    return Answer::arrived;
  }
  [[nodiscard]] Answer refused() {
    switch (way_) {
      case Way::free:
        return Answer::unasked;
      case Way::probe:
        way_ = Way::free;
        return Answer::alive;
      case Way::descriptor:
        break;
    }
    way_ = Way::free;
    return ++lost_in_a_row_ < kMostLost ? Answer::lost : Answer::jammed;
  }

 private:
  static constexpr unsigned kMostLost = 2;

  Way way_ = Way::free;
  unsigned lost_in_a_row_ = 0;
};

}  // namespace clusterd::core
