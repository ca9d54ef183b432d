#pragma once

#include <memory>
#include <string_view>

namespace clusterd {

namespace detail {
struct RunState;
}  // namespace detail

inline namespace [[gnu::visibility("default")]] v0_1_0 {

/// One run of a [[schedule]] of app.conf, which was given to this process. It is over at done(), at
/// fail(), or when the last copy of it is gone, which is the same as done(): a handler that returns
/// has done it, one that keeps a copy goes on, and one that throws has failed, with the text of the
/// exception. The first of them counts. Any thread may end it and let it go.
///
/// A worker that drains waits for its runs as it does for its connections.
class Run {
 public:
  explicit Run(std::shared_ptr<detail::RunState> state) : state_(std::move(state)) {}

  /// Of this run alone, in the events and the log of clusterd too.
  [[nodiscard]] std::string_view id() const;
  [[nodiscard]] std::string_view schedule() const;
  /// JSON, as app.conf has it; "null" if it has none.
  [[nodiscard]] std::string_view data() const;

  void done() const;
  /// Of the reason the first 1,024 bytes count.
  void fail(std::string_view why) const;

 private:
  std::shared_ptr<detail::RunState> state_;
};

}  // namespace v0_1_0
}  // namespace clusterd
