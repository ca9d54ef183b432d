#pragma once

#include <cstdlib>
#include <ctime>
#include <string>

namespace clusterd::test {

/// The machine has this time zone for as long as it lives.
class Zone {
 public:
  explicit Zone(const std::string& name) {
    if (const char* now = std::getenv("TZ")) before_ = now;
    ::setenv("TZ", name.c_str(), 1);
    ::tzset();
  }
  ~Zone() {
    before_.empty() ? ::unsetenv("TZ") : ::setenv("TZ", before_.c_str(), 1);
    ::tzset();
  }
  Zone(const Zone&) = delete;
  Zone& operator=(const Zone&) = delete;

 private:
  std::string before_;
};

}  // namespace clusterd::test
