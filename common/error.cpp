#include "common/error.h"

#include <cerrno>

namespace clusterd {

std::string Error::message() const {
  // EINVAL from make_error() says nothing that `what` does not say better.
  return code == std::errc::invalid_argument ? what : what + ": " + code.message();
}

Error errno_error(std::string what) {
  return {std::error_code(errno, std::system_category()), std::move(what)};
}

Error make_error(std::string what) {
  return {std::make_error_code(std::errc::invalid_argument), std::move(what)};
}

}  // namespace clusterd
