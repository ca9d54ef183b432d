#pragma once

#include "common/unique_fd.h"
#include "master/core/node_gate.h"
#include "master/runtime/channel.h"

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace clusterd::runtime {

/// What goes to one Node process: lines, and descriptors one at a time (core::NodeGate), of which
/// those of the master go before connections. Shared by its dialogue and its lane.
class NodeLink {
 public:
  explicit NodeLink(std::shared_ptr<Channel> channel) : channel_(std::move(channel)) {}

  /// Lines of the master are numbered.
  [[nodiscard]] std::int64_t next_seq() { return seq_++; }
  void say(std::string line) { channel_->send(std::move(line)); }

  /// In band: it is to finish what it has and leave. Once, and not to one that goes by itself: by
  /// then its channel may be closed on its side, and one that is told twice falls over.
  void ask_to_leave();
  void leaves_by_itself() { leaves_ = true; }
  /// The same, to one that knows no such line: our direction of the channel ends.
  void hang_up();
  [[nodiscard]] bool hung_up() const { return hung_up_; }
  [[nodiscard]] bool leaves() const { return leaves_; }

  /// Sends it when its turn comes. `failed`, if any, is called if it arrived without the
  /// descriptor. False if too many wait already, or nothing like it may go to a Node process.
  [[nodiscard]] bool hand_over(std::string line, UniqueFd fd,
                               std::function<void()> failed = nullptr);

  /// A connection may go, and nothing else has to go before it.
  [[nodiscard]] bool is_free() const { return gate_.is_free() && waiting_.empty(); }
  /// If it is free. The descriptor stays the caller's.
  [[nodiscard]] bool send_connection(std::string_view line, int fd);

  /// Makes its loop turn and answer, unless something is on its way that does so anyway.
  void probe();

  using Answer = core::NodeGate::Answer;
  struct Answered {
    Answer answer = Answer::unasked;
    bool connection = false;  ///< it was one that was on its way
  };
  [[nodiscard]] Answered acknowledged();
  [[nodiscard]] Answered refused();

  /// What waits goes on, as far as it can.
  void go_on();

 private:
  struct Waiting {
    std::string line;
    UniqueFd fd;
    std::function<void()> failed;
  };

  std::shared_ptr<Channel> channel_;
  core::NodeGate gate_;
  std::deque<Waiting> waiting_;
  std::function<void()> if_it_failed_;  ///< of what is on its way
  bool connection_ = false;             ///< that is a connection
  bool leaves_ = false;
  bool hung_up_ = false;
  std::int64_t seq_ = 0;
};

/// What a process gets with a message by that type (node::Handle) is what its Node makes of it.
/// From another worker anything can come, and something else would end the program that gets it.
[[nodiscard]] bool is_of_type(std::string_view type, int fd);

/// Where a process that had the same open file may have made it block.
void set_nonblocking(int fd);

/// Nothing else may go to a Node process: anything but a stream socket that does not block, or a
/// UDP socket, stalls its loop, jams its queue or ends it.
[[nodiscard]] bool fit_for_node(int fd);

}  // namespace clusterd::runtime
