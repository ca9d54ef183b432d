#pragma once

#include "tests/support/must.h"

#include <doctest/doctest.h>

#include <cstddef>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace clusterd::testing {

/// One thing that can happen to a World: a machine under test, with whatever the test remembers of
/// it. `play` makes it happen, and throws a Violation at what must not be; it gives false where it
/// cannot happen.
template <typename World>
struct Move {
  const char* name;
  bool (*play)(World& world);
};

/// Plays every sequence of moves up to a depth, each on a copy of the world that the moves before
/// it left, so that a common beginning is played once.
template <typename World>
class EveryOrder {
 public:
  explicit EveryOrder(std::vector<Move<World>> moves) : moves_(std::move(moves)) {}

  /// The first violation fails the test and tells the moves that led to it.
  void walk(const World& start, int depth) {
    path_.clear();
    try {
      go_on(start, depth);
    } catch (const Violation& violation) {
      FAIL(std::string(violation.what()) << ", after: " << path());
    }
  }

  /// Moves played in all walks; says in a test that the walk did not end at its first step.
  [[nodiscard]] std::size_t played() const { return played_; }

 private:
  void go_on(const World& world, int depth) {
    for (const Move<World>& move : moves_) {
      World next = world;
      path_.push_back(move.name);
      if (move.play(next)) {
        ++played_;
        if (depth > 1) go_on(next, depth - 1);
      }
      path_.pop_back();
    }
  }

  [[nodiscard]] std::string path() const {
    std::string text;
    for (const char* name : path_) {
      if (!text.empty()) text += ", ";
      text += name;
    }
    return text;
  }

  std::vector<Move<World>> moves_;
  std::vector<const char*> path_;
  std::size_t played_ = 0;
};

template <typename World>
std::size_t every_order(const World& start, int depth,
                        std::type_identity_t<std::vector<Move<World>>> moves) {
  EveryOrder<World> order(std::move(moves));
  order.walk(start, depth);
  return order.played();
}

}  // namespace clusterd::testing
