#include "master/os/become.h"

#include <algorithm>
#include <cerrno>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace clusterd::os {
namespace {

// System calls as they are: those of libc tell all threads of the process that there were before
// the fork.
int set_groups(const std::vector<gid_t>& groups) {
  return static_cast<int>(::syscall(SYS_setgroups, groups.size(), groups.data()));
}
int set_gid(gid_t gid) { return static_cast<int>(::syscall(SYS_setresgid, gid, gid, gid)); }
int set_uid(uid_t uid) { return static_cast<int>(::syscall(SYS_setresuid, uid, uid, uid)); }

constexpr __user_cap_header_struct kHeader{_LINUX_CAPABILITY_VERSION_3, 0};

/// A change from root to another user takes them all; one from a user that has CAP_SETUID does not.
bool drop_capabilities() {
  __user_cap_header_struct header = kHeader;
  const __user_cap_data_struct none[2] = {};
  return ::syscall(SYS_capset, &header, none) == 0;
}

bool has_capabilities() {
  __user_cap_header_struct header = kHeader;
  __user_cap_data_struct data[2] = {};
  if (::syscall(SYS_capget, &header, data) != 0) return true;
  return (data[0].permitted | data[1].permitted | data[0].effective | data[1].effective |
          data[0].inheritable | data[1].inheritable) != 0;
}

bool is(const Identity& identity) {
  uid_t uids[3] = {};
  gid_t gids[3] = {};
  if (::getresuid(&uids[0], &uids[1], &uids[2]) != 0) return false;
  if (::getresgid(&gids[0], &gids[1], &gids[2]) != 0) return false;
  for (int i = 0; i < 3; ++i) {
    if (uids[i] != identity.uid || gids[i] != identity.gid) return false;
  }
  return true;
}

/// Tries each way back that there could be.
bool is_for_good(const Identity& identity, uid_t uid_before, gid_t gid_before) {
  if (!is(identity) || has_capabilities()) return false;
  for (const uid_t uid : {uid_before, uid_t{0}}) {
    if (uid != identity.uid && set_uid(uid) == 0) return false;
  }
  for (const gid_t gid : {gid_before, gid_t{0}}) {
    if (gid != identity.gid && set_gid(gid) == 0) return false;
  }
  return true;
}

}  // namespace

bool has_groups_of(const Identity& identity) {
  constexpr int kMost = 1024;
  gid_t groups[kMost];
  const int count = ::getgroups(kMost, groups);
  if (count < 0) return false;
  const gid_t* const begin = groups;
  const gid_t* const end = groups + count;
  const auto own = [&](gid_t group) { return group == identity.gid; };
  for (const gid_t* each = begin; each != end; ++each) {
    const auto& wanted = identity.groups;
    if (!own(*each) && std::find(wanted.begin(), wanted.end(), *each) == wanted.end()) return false;
  }
  return std::all_of(identity.groups.begin(), identity.groups.end(), [&](gid_t group) {
    return own(group) || std::find(begin, end, group) != end;
  });
}

void drop_ambient_capabilities() { ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); }

std::optional<ExecFailure::Stage> become(const Identity& identity) {
  using Stage = ExecFailure::Stage;
  const uid_t uid_before = ::geteuid();
  const gid_t gid_before = ::getegid();
  drop_ambient_capabilities();
  // Groups first: after the user is another nobody may change them.
  if (!has_groups_of(identity) && set_groups(identity.groups) != 0) return Stage::groups;
  if (set_gid(identity.gid) != 0) return Stage::group;
  if (set_uid(identity.uid) != 0) return Stage::user;
  if (identity.uid != 0) {
    errno = 0;
    if (!drop_capabilities() || !is_for_good(identity, uid_before, gid_before)) {
      if (errno == 0) errno = EPERM;
      return Stage::no_way_back;
    }
  } else if (!is(identity)) {
    errno = EPERM;
    return Stage::no_way_back;
  }
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return Stage::no_new_privileges;
  return std::nullopt;
}

}  // namespace clusterd::os
