#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace clusterd::runtime {

/// The way back to the client that asked for a verb: any number of lines, and one that ends it. It
/// can be copied and kept for as long as the verb takes; all copies are the same way. The client
/// may go at any time: then nothing is sent any more, and whatever was begun for it goes on. The
/// same is true once it has been answered, so a verb is ended once.
class Reply {
 public:
  /// Takes a line without its newline; after the `last` one the way is closed.
  using Send = std::function<void(std::string line, bool last)>;

  Reply() = default;  ///< to nobody
  /// `is_read` tells whether the other end has read all that it was sent.
  explicit Reply(std::weak_ptr<const Send> send, std::function<bool()> is_read = {})
      : send_(std::move(send)), is_read_(std::move(is_read)) {}

  /// Says how far it is, in words: {"progress":"..."}.
  void progress(std::string_view text) const;
  /// One line of JSON of the verb's own.
  void line(std::string json) const;
  /// The last line: a JSON object with the member "ok".
  void finish(std::string json) const;
  /// The last line, {"ok":false,"error":"...","code":N}; 0, the verb's usual exit code, is left
  /// out.
  void refuse(std::string_view why, int code = 0) const;

  /// Nobody hears this any more: the client has left, or has been answered.
  [[nodiscard]] bool gone() const { return send_.expired(); }
  [[nodiscard]] bool is_read() const { return gone() || !is_read_ || is_read_(); }

 private:
  void send(std::string line, bool last) const;

  std::weak_ptr<const Send> send_;
  std::function<bool()> is_read_;
};

}  // namespace clusterd::runtime
