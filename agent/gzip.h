#pragma once

#include "common/error.h"
#include "common/unique_fd.h"

#include <memory>
#include <string>

namespace clusterd::agent {

/// Compresses one file, a little at a time: NAME becomes NAME.gz, which is NAME.gz.part until it is
/// complete. Whoever goes away in the middle leaves NAME as it was.
class Gzip {
 public:
  /// `folder` is that of the file, and stays open.
  [[nodiscard]] static Result<Gzip> begin(int folder, const std::string& name);
  Gzip(Gzip&&) noexcept;
  Gzip& operator=(Gzip&&) noexcept;
  /// What is not complete is removed.
  ~Gzip();

  /// Goes on for some milliseconds. True when all is done, and NAME is gone.
  [[nodiscard]] Result<bool> step();

  [[nodiscard]] const std::string& name() const;

 private:
  struct Work;

  explicit Gzip(std::unique_ptr<Work> work);

  std::unique_ptr<Work> work_;
};

}  // namespace clusterd::agent
