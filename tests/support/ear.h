#pragma once

#include "common/unique_fd.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <utility>
#include <vector>

namespace clusterd::test {

/// A service manager's NOTIFY_SOCKET: hears what is said, in order.
class Ear {
 public:
  /// A path, or "@" and an abstract name.
  explicit Ear(const std::string& address)
      : fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    std::memcpy(name.sun_path, address.data(), address.size());
    if (address.front() == '@') name.sun_path[0] = '\0';
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.size());
    if (::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&name), length) < 0) {
      throw std::runtime_error("no notify socket at " + address);
    }
  }

  /// All lines so far.
  [[nodiscard]] const std::vector<std::string>& lines() {
    std::array<char, 4096> text;
    for (;;) {
      const ssize_t length = ::recv(fd_.get(), text.data(), text.size(), 0);
      if (length < 0) return lines_;
      std::string rest(text.data(), static_cast<std::size_t>(length));
      while (!rest.empty()) {
        const std::size_t end = std::min(rest.find('\n'), rest.size());
        lines_.push_back(rest.substr(0, end));
        rest.erase(0, end + 1);
      }
    }
  }
  [[nodiscard]] std::size_t count(const std::string& beginning) {
    std::size_t count = 0;
    for (const std::string& line : lines()) {
      if (line.starts_with(beginning)) ++count;
    }
    return count;
  }
  /// All lines but those that are only there for a deadline's sake.
  [[nodiscard]] std::vector<std::string> told() {
    std::vector<std::string> told = lines();
    std::erase_if(told, [](const std::string& line) {
      return line.starts_with("EXTEND_TIMEOUT_USEC=") || line.starts_with("WATCHDOG=");
    });
    return told;
  }

 private:
  UniqueFd fd_;
  std::vector<std::string> lines_;
};

/// A variable of the environment, for as long as this lives.
class Variable {
 public:
  Variable(std::string name, const std::string& value) : name_(std::move(name)) {
    ::setenv(name_.c_str(), value.c_str(), 1);
  }
  ~Variable() { ::unsetenv(name_.c_str()); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  std::string name_;
};

}  // namespace clusterd::test
