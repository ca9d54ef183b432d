#pragma once

#include <string>
#include <system_error>
#include <type_traits>
#include <utility>
#include <variant>

namespace clusterd {

/// Why something failed: the code, and what was being done, as verb and object
/// ("bind 127.0.0.1:80").
struct Error {
  std::error_code code;
  std::string what;

  /// "bind 127.0.0.1:80: Address already in use"
  [[nodiscard]] std::string message() const;
};

/// The value, or why there is none: as much of std::expected (C++23) as is used here. Our own,
/// since the worker library is linked into programs that may have another Boost, or none.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(Error error) : content_(std::in_place_index<1>, std::move(error)) {}
  template <typename U>
    requires(std::is_convertible_v<U, T> && !std::is_convertible_v<U, Error>)
  Result(U&& value) : content_(std::in_place_index<0>, std::forward<U>(value)) {}

  [[nodiscard]] bool has_value() const noexcept { return content_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }

  /// Only if there is a value.
  [[nodiscard]] T& operator*() & noexcept { return *std::get_if<0>(&content_); }
  [[nodiscard]] const T& operator*() const& noexcept { return *std::get_if<0>(&content_); }
  [[nodiscard]] T&& operator*() && noexcept { return std::move(*std::get_if<0>(&content_)); }
  [[nodiscard]] T* operator->() noexcept { return std::get_if<0>(&content_); }
  [[nodiscard]] const T* operator->() const noexcept { return std::get_if<0>(&content_); }

  /// Only if there is none.
  [[nodiscard]] const Error& error() const& noexcept { return *std::get_if<1>(&content_); }
  [[nodiscard]] Error error() && noexcept { return std::move(*std::get_if<1>(&content_)); }

 private:
  std::variant<T, Error> content_;
};

/// Done, or why not.
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : content_(std::move(error)) {}

  [[nodiscard]] bool has_value() const noexcept { return content_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }
  [[nodiscard]] const Error& error() const& noexcept { return *std::get_if<1>(&content_); }
  [[nodiscard]] Error error() && noexcept { return std::move(*std::get_if<1>(&content_)); }

 private:
  std::variant<std::monostate, Error> content_;
};

/// The error that errno describes now; `what` as in Error.
[[nodiscard]] Error errno_error(std::string what);

/// An error of our own making (a rule broken, not a system call refused).
[[nodiscard]] Error make_error(std::string what);

}  // namespace clusterd
