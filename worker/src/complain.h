#pragma once

#include <exception>
#include <string>

/// What is said of an exception that a handler let out.
namespace clusterd::detail {

[[nodiscard]] std::string text_of(const std::exception_ptr& exception);

/// On stderr: one line and one write, so that it stays whole among the lines of other threads.
void complain(std::string text);

}  // namespace clusterd::detail
