#include "master/runtime/node_lane.h"

#include "common/node_reply.h"
#include "master/core/node_servers.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace clusterd::runtime {

void NodeLane::add(Accepted connection) { offered_.push_back({std::move(connection)}); }

Lane::Sent NodeLane::send(core::OfferLedger& /*ledger*/, std::deque<Accepted>& /*back*/) {
  go_on();
  return Sent::all;  // the rest goes when its turn comes, or comes back by revoke()
}

void NodeLane::go_on() {
  while (unsent() > 0 && link_->is_free()) {
    Offered& next = offered_[sent_];
    next.seq = link_->next_seq();
    const std::string line =
        style_ == Style::cluster
            ? node::new_connection(core::NodeServers::key_of(next.connection.offer.listener),
                                   next.seq)
            : node::with_handle("net.Socket", R"("connection")");
    if (!link_->send_connection(line, next.connection.fd.get())) return;
    on_its_way_ = next.seq;
    ++sent_;
  }
}

void NodeLane::arrived() {
  if (style_ == Style::fork) answered(on_its_way_, true);
}

void NodeLane::lost() { answered(on_its_way_, false); }

void NodeLane::answered(std::int64_t ack, bool accepted) {
  for (std::size_t at = 0; at < sent_; ++at) {
    if (offered_[at].seq != ack) continue;
    return accepted ? took(at) : declined(at);
  }
}

void NodeLane::took(std::size_t at) {
  remove(at);
  ++taken_;
}

void NodeLane::declined(std::size_t at) {
  declined_.push_back(std::move(offered_[at].connection));
  // It had it, and could make it block: that would stand in the way of the next one's loop.
  set_nonblocking(declined_.back().fd.get());
  remove(at);
}

void NodeLane::remove(std::size_t at) {
  offered_.erase(offered_.begin() + static_cast<std::ptrdiff_t>(at));
  --sent_;
}

void NodeLane::end() {
  if (style_ == Style::cluster) {
    link_->ask_to_leave();
  } else {
    link_->hang_up();
  }
}

void NodeLane::gone() {
  while (sent_ > 0) declined(0);
}

std::optional<std::uint32_t> NodeLane::collect(core::OfferLedger& ledger, TimePoint now,
                                               std::deque<Accepted>& back) {
  const auto freed = ledger.claim(ledger.taken() + std::exchange(taken_, 0), now);
  if (declined_.empty()) return freed;
  ledger.decline(static_cast<std::uint32_t>(declined_.size()));
  // In their order, before whatever waits already: they have waited longest.
  std::move(declined_.rbegin(), declined_.rend(), std::front_inserter(back));
  declined_.clear();
  return freed;
}

std::uint64_t NodeLane::revocable() const {
  std::uint64_t listeners = 0;
  for (std::size_t at = sent_; at < offered_.size(); ++at) {
    listeners |= std::uint64_t{1} << offered_[at].connection.offer.listener;
  }
  return listeners;
}

bool NodeLane::revoke(core::OfferLedger& ledger, TimePoint now, std::deque<Accepted>& back) {
  ledger.withdraw(static_cast<std::uint32_t>(unsent()));
  for (; unsent() > 0; offered_.pop_back()) {
    back.push_front(std::move(offered_.back().connection));
  }
  return collect(ledger, now, back).has_value();
}

}  // namespace clusterd::runtime
