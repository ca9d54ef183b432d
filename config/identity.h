#pragma once

#include <string>
#include <sys/types.h>
#include <vector>

namespace clusterd::config {

/// A user as a process can be one: looked up once, when the file is read, so that nobody has to ask
/// the machine's user database (which may block) when a worker starts.
struct Identity {
  std::string user;  ///< the name; of a number that has none, the number
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;  ///< supplementary ones, `gid` among them, in order
  std::string home;           ///< empty, as `shell`, for a number that has no name
  std::string shell;

  friend bool operator==(const Identity&, const Identity&) = default;
};

struct Group {
  std::string name;  ///< as Identity::user
  gid_t gid = 0;

  friend bool operator==(const Group&, const Group&) = default;
};

}  // namespace clusterd::config
