#pragma once

#include <boost/system/result.hpp>

#include <string>
#include <system_error>

namespace clusterd {

/// Why something failed: the code, and what was being done, as verb and object
/// ("bind 127.0.0.1:80").
struct Error {
  std::error_code code;
  std::string what;

  /// "bind 127.0.0.1:80: Address already in use"
  [[nodiscard]] std::string message() const;
};

/// The value, or why there is none. Use has_value(), *, and error() only, which std::expected
/// has as well.
template <typename T>
using Result = boost::system::result<T, Error>;

/// The error that errno describes now; `what` as in Error.
[[nodiscard]] Error errno_error(std::string what);

/// An error of our own making (a rule broken, not a system call refused).
[[nodiscard]] Error make_error(std::string what);

/// Makes Result<T>::value() throw std::system_error, found by argument-dependent look-up.
[[noreturn]] void throw_exception_from_error(const Error& error, const boost::source_location&);

}  // namespace clusterd
