#pragma once

#include "common/unique_fd.h"
#include "master/os/child_process.h"
#include "tests/support/eventually.h"

#include <doctest/doctest.h>

#include <chrono>
#include <optional>
#include <string>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <utility>

namespace clusterd::os {

/// A child that is a shell and runs `script`; its channel is descriptor 3.
struct Shell {
  explicit Shell(const std::string& script) {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    channel.reset(ends[0]);
    const UniqueFd theirs(ends[1]);
    SpawnSpec spec{"/bin/sh", {"sh", "-c", script}, {"PATH=/usr/bin:/bin"}, "/", ends[1], {}};
    ::getrlimit(RLIMIT_NOFILE, &spec.open_files);
    auto spawned = spawn(spec);
    REQUIRE(spawned.has_value());
    child.emplace(std::move(*spawned));
  }

  [[nodiscard]] pid_t pid() const { return child->pid(); }

  ProcessEnd reap() {
    std::optional<ProcessEnd> end;
    REQUIRE(test::eventually([&] { return (end = child->reap()).has_value(); },
                             std::chrono::seconds(10)));
    return *end;
  }

  UniqueFd channel;
  std::optional<ChildProcess> child;
};

}  // namespace clusterd::os
