#pragma once

#include "master/runtime/messenger.h"
#include "master/runtime/reply.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace clusterd::runtime {

/// `clusterd send`: messages of the operator to programs of the cluster, and the answers to those
/// that want one.
class OperatorMessages {
 public:
  /// `slots` gives how many there are, for who names one that there is not.
  OperatorMessages(boost::asio::io_context& io, Messenger& messenger,
                   std::function<std::size_t()> slots);

  /// `request` is an envelope; with "timeout_ms" it wants an answer.
  void send(const CheckedJson& request, const Reply& reply);

 private:
  struct Waiting {
    Waiting(boost::asio::io_context& io, Reply to) : timer(io), reply(std::move(to)) {}

    boost::asio::steady_timer timer;
    Reply reply;
  };

  [[nodiscard]] std::string nobody(const Recipient& to) const;
  void wait(std::int64_t request, std::int64_t timeout_ms, const Reply& reply);
  void answered(const Envelope& answer);
  void lost(std::int64_t request, std::string_view why);

  boost::asio::io_context& io_;
  Messenger& messenger_;
  std::function<std::size_t()> slots_;
  std::map<std::int64_t, Waiting> waiting_;
  std::int64_t next_request_ = 1;
};

}  // namespace clusterd::runtime
