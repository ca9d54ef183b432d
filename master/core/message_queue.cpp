#include "master/core/message_queue.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace clusterd::core {
namespace {

/// What a message costs beside its bytes.
constexpr std::size_t kTicket = 24;
constexpr std::size_t kFirstRing = 4096;
/// A larger ring is given back when it is empty.
constexpr std::size_t kKeptRing = 256 * 1024;
/// A receiver that never says what it has heard is not believed to have so many in its socket.
constexpr std::size_t kMostUnheard = 64 * 1024;

}  // namespace

bool MessageQueue::may_fit(std::string_view line, std::size_t most) {
  return line.size() + 1 + kTicket <= most;
}

bool MessageQueue::push(std::string_view line, Ticket ticket, std::size_t most) {
  const std::size_t bytes = line.size() + 1;
  if (size() + bytes + kTicket > most) return false;
  reserve(bytes_ + bytes, most);
  append(line);
  append("\n");
  waiting_.push_back({ticket, bytes});
  return true;
}

std::optional<MessageQueue::Lost> MessageQueue::drop_oldest() {
  if (waiting_.empty()) return std::nullopt;
  const Waiting oldest = waiting_.front();
  waiting_.pop_front();
  Lost lost{oldest.ticket, front(oldest.bytes - 1)};
  skip(oldest.bytes);
  return lost;
}

std::array<std::string_view, 3> MessageQueue::next() const {
  const std::size_t first = std::min(bytes_, capacity_ - head_);
  return {begun(), {ring_.get() + head_, first}, {ring_.get(), bytes_ - first}};
}

std::string_view MessageQueue::begun() const {
  return std::string_view(begun_).substr(begun_sent_);
}

void MessageQueue::sent(std::size_t bytes) {
  const std::size_t rest = std::min(bytes, begun().size());
  bytes -= rest;
  begun_sent_ += rest;
  if (rest > 0 && begun().empty()) {
    begun_.clear();
    begun_sent_ = 0;
    finished(begun_ticket_);
  }
  std::size_t whole = 0;
  while (!waiting_.empty() && waiting_.front().bytes <= bytes) {
    bytes -= waiting_.front().bytes;
    whole += waiting_.front().bytes;
    finished(waiting_.front().ticket);
    waiting_.pop_front();
  }
  if (bytes > 0) {
    const Waiting cut = waiting_.front();
    waiting_.pop_front();
    skip(whole);
    begun_ = front(cut.bytes);
    begun_sent_ = bytes;
    begun_ticket_ = cut.ticket;
    whole = cut.bytes;
  }
  skip(whole);
}

void MessageQueue::heard(std::size_t messages) {
  const std::size_t unknown = std::min(messages, unknown_);
  unknown_ -= unknown;
  messages -= unknown;
  messages = std::min(messages, unheard_.size());
  unheard_.erase(unheard_.begin(), unheard_.begin() + static_cast<std::ptrdiff_t>(messages));
}

std::size_t MessageQueue::size() const {
  return bytes_ + begun().size() + waiting_.size() * kTicket;
}

std::vector<MessageQueue::Ticket> MessageQueue::take_unheard() {
  std::vector<Ticket> all(unheard_.begin(), unheard_.end());
  unheard_.clear();
  if (!begun().empty()) all.push_back(begun_ticket_);
  return all;
}

void MessageQueue::append(std::string_view bytes) {
  const std::size_t tail = (head_ + bytes_) % capacity_;
  const std::size_t first = std::min(bytes.size(), capacity_ - tail);
  std::memcpy(ring_.get() + tail, bytes.data(), first);
  std::memcpy(ring_.get(), bytes.data() + first, bytes.size() - first);
  bytes_ += bytes.size();
}

void MessageQueue::reserve(std::size_t bytes, std::size_t most) {
  if (bytes <= capacity_) return;
  // What tickets cost is in `most`, so this is enough.
  const std::size_t doubled = std::min(most, std::max(kFirstRing, 2 * capacity_));
  const std::size_t capacity = std::max(bytes, doubled);
  std::unique_ptr<char[]> ring(new char[capacity]);  // not filled: it is as large as it may get
  const std::size_t first = std::min(bytes_, capacity_ - head_);
  if (first > 0) std::memcpy(ring.get(), ring_.get() + head_, first);
  if (bytes_ > first) std::memcpy(ring.get() + first, ring_.get(), bytes_ - first);
  ring_ = std::move(ring);
  capacity_ = capacity;
  head_ = 0;
}

std::string MessageQueue::front(std::size_t bytes) const {
  const std::size_t first = std::min(bytes, capacity_ - head_);
  std::string text(ring_.get() + head_, first);
  return text.append(ring_.get(), bytes - first);
}

void MessageQueue::skip(std::size_t bytes) {
  if (bytes == 0) return;
  bytes_ -= bytes;
  head_ = bytes_ == 0 ? 0 : (head_ + bytes) % capacity_;
  if (bytes_ > 0 || capacity_ <= kKeptRing) return;
  ring_.reset();
  capacity_ = 0;
}

void MessageQueue::finished(Ticket ticket) {
  if (!ticket.is_counted) return;
  if (!told_) {
    ++unknown_;
    return;
  }
  if (unheard_.size() == kMostUnheard) unheard_.pop_front();
  unheard_.push_back(ticket);
}

}  // namespace clusterd::core
