#pragma once

#include "agent/endpoints.h"
#include "common/clock.h"
#include "common/protocol.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>

namespace clusterd::agent {

/// Asks the master how the cluster is, one question at a time for all who want to know: what is
/// wanted while one is on its way is asked for next, together. Nobody is told what was true before
/// he wanted to know it.
class Inquiry {
 public:
  using Ask = std::function<void(const protocol::Report&)>;
  using Heard = std::function<void(const std::optional<View>&)>;

  Inquiry(boost::asio::io_context& io, Ask ask, Duration patience = std::chrono::seconds(1));

  /// `heard` is called once: with the answer, or with nothing when the patience is over.
  void want(bool metrics, Heard heard);

  /// The master's answer.
  void answered(const protocol::Reported& reported, std::shared_ptr<const std::string> metrics);

 private:
  struct Waiting {
    std::int64_t seq = 0;  ///< of the question that is new enough
    bool metrics = false;
    TimePoint until;
    Heard heard;
  };

  void ask();
  void watch();

  Ask ask_;
  Duration patience_;
  boost::asio::steady_timer timer_;
  bool timer_runs_ = false;
  std::deque<Waiting> waiting_;  ///< in the order of their questions
  std::int64_t asked_ = 0;
  std::int64_t answered_ = 0;
};

}  // namespace clusterd::agent
