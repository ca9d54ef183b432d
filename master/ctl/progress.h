#pragma once

#include <string_view>

namespace clusterd::ctl {

/// Says on stderr what is going on. On a terminal there is one line, of which each takes the place
/// of the one before and none is left; elsewhere each is a line of its own, "clusterd: TEXT".
class Progress {
 public:
  /// `fd` is stderr.
  explicit Progress(int fd);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() { clear(); }

  void show(std::string_view text);
  /// Before anything else is written.
  void clear();

 private:
  int fd_;
  bool in_place_;
  bool shown_ = false;
};

}  // namespace clusterd::ctl
