#pragma once

#include "common/unique_fd.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace clusterd::runtime {

/// The master's end of the pipe that one child prints into. Reads a bounded piece at a time, so
/// that a child that prints without end has no more of the loop than any other, and gives it on in
/// whole lines, so that those of several children are not mixed.
class OutputPipe : public std::enable_shared_from_this<OutputPipe> {
 public:
  /// Gets one or more lines, each with its newline. What is longer than a line may be, or is not
  /// ended by a newline when the child is gone, has one added.
  using Take = std::function<void(std::string_view lines)>;

  /// Takes the read end, which does not block. After finish() nothing is called any more.
  [[nodiscard]] static std::shared_ptr<OutputPipe> open(boost::asio::io_context& io, UniqueFd fd,
                                                        Take take);

  /// The child is gone: gives on what is left, and closes, though somebody that the child started
  /// may still hold the other end.
  void finish();

 private:
  OutputPipe(boost::asio::io_context& io, UniqueFd fd, Take take);

  void wait_readable();
  void rest();
  void on_readable();
  /// The bytes read: none if there is nothing to be read now. An end of the pipe closes it.
  std::size_t read();
  void add(std::string_view bytes);
  void let_go();
  void close();

  boost::asio::posix::stream_descriptor pipe_;
  boost::asio::steady_timer rest_;
  Take take_;
  std::string held_;  ///< a line whose end has not come yet
};

}  // namespace clusterd::runtime
