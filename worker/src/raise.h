#pragma once

#include "common/error.h"

#include <stdexcept>
#include <string>
#include <utility>

/// How the library says at start that something cannot be: by std::runtime_error.
namespace clusterd::detail {

[[noreturn]] inline void raise(const Error& error) {
  throw std::runtime_error("clusterd: " + error.message());
}

template <typename T>
T need(Result<T> result) {
  if (!result) raise(result.error());
  return std::move(*result);
}

}  // namespace clusterd::detail
