#pragma once

#include "agent/gzip.h"
#include "agent/log_file.h"
#include "common/log_rules.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace clusterd::agent {

/// Looks after the old ones of a log: what is too much goes, and the others are compressed, the
/// oldest first, a little at a time.
class OldLogKeeper {
 public:
  using Complain = std::function<void(const std::string& text)>;

  OldLogKeeper(boost::asio::io_context& io, Complain complain);

  /// `file` is the log's, and stays where it is for as long as this.
  void begin(const LogFile& file);
  /// What could not be compressed may be so now.
  void forgive() { not_to_compress_.clear(); }
  void tidy(const LogRules& rules);

 private:
  void compress();
  [[nodiscard]] const OldLog* next_to_compress(const std::vector<OldLog>& old) const;
  void step();

  Complain complain_;
  boost::asio::steady_timer timer_;
  const LogFile* file_ = nullptr;
  LogRules rules_;
  std::optional<Gzip> gzip_;
  std::set<std::string> not_to_compress_;
};

}  // namespace clusterd::agent
