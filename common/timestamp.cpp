#include "common/timestamp.h"

#include <array>
#include <ctime>

namespace clusterd {
namespace {

struct Parts {
  std::time_t seconds = 0;
  unsigned milliseconds = 0;
};

Parts parts_of(std::chrono::system_clock::time_point when) {
  const auto whole = std::chrono::floor<std::chrono::seconds>(when);
  const auto rest = std::chrono::floor<std::chrono::milliseconds>(when - whole);
  return {std::chrono::system_clock::to_time_t(whole), static_cast<unsigned>(rest.count())};
}

/// By hand: it stands before every line of a log.
std::string text(const std::tm& time, const char* form, unsigned milliseconds) {
  std::array<char, 48> text{};
  std::size_t length = std::strftime(text.data(), text.size() - 8, form, &time);
  text[length++] = '.';
  for (const unsigned digit : {milliseconds / 100, milliseconds / 10 % 10, milliseconds % 10}) {
    text[length++] = static_cast<char>('0' + digit);
  }
  return {text.data(), length};
}

}  // namespace

std::string local_time(std::chrono::system_clock::time_point when) {
  const Parts parts = parts_of(when);
  std::tm local{};
  ::localtime_r(&parts.seconds, &local);
  return text(local, "%Y-%m-%d %H:%M:%S", parts.milliseconds);
}

std::string utc_time(std::chrono::system_clock::time_point when) {
  const Parts parts = parts_of(when);
  std::tm utc{};
  ::gmtime_r(&parts.seconds, &utc);
  return text(utc, "%Y-%m-%dT%H:%M:%S", parts.milliseconds) + "Z";
}

}  // namespace clusterd
