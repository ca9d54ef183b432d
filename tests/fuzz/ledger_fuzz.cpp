// Any steps of the books on one worker's offers, beside the same books in numbers that do not wrap.
#include "master/core/offer_ledger.h"
#include "tests/fuzz/fuzz.h"

#include <algorithm>
#include <deque>
#include <optional>

namespace clusterd::fuzz {
namespace {

using core::OfferLedger;
using State = OfferLedger::State;

class Books {
 public:
  explicit Books(Decisions& decisions)
      : decisions_(decisions),
        widest_(1 + decisions.pick(8)),
        window_(widest_),
        sent_(kWrap - decisions.pick(16)),  // the numbers wrap around early
        taken_(sent_),
        ledger_(widest_, low(sent_)) {}

  void step() {
    now_ += std::chrono::milliseconds(decisions_.pick(8));
    switch (decisions_.pick(11)) {
      case 0:
        return offer();
      case 1:
        return withdraw();
      case 2:
        ledger_.mark_full();
        if (state_ == State::open) state_ = State::full;
        return;
      case 3:
        ledger_.retry();
        return reopen_from(State::full);
      case 4:
        return claim(decisions_.pick(12));
      case 5:
        return claim(0U - decisions_.pick(12));
      case 6:
        return revoke();
      case 7:
        return drop();
      case 8:
        return narrow();
      case 9:
        return look();
      default:
        // An end is the end of most inputs: two bytes for it.
        if (decisions_.pick(8) != 7) return;
        ledger_.end();
        state_ = State::ended;
    }
  }

  void must_be_equal() const {
    must(ledger_.state() == state_, "the state");
    must(ledger_.sent() == low(sent_) && ledger_.taken() == low(taken_), "the numbers");
    must(ledger_.pending() == sent_ - taken_ && ledger_.pending() <= widest_, "what is pending");
    must(ledger_.taken_in_all() == taken_in_all_, "what was taken in all");
    must(ledger_.window() == window_, "the window");
    const std::uint64_t room = window_ - std::min<std::uint64_t>(window_, offers_.size());
    must(ledger_.credit() == (state_ == State::open ? room : 0), "the credit");
    const Duration age = offers_.empty() ? Duration{} : now_ - offers_.front().at;
    must(ledger_.age(now_) == age, "the age of the oldest");
    const bool stalled = !offers_.empty() && age >= kStall;
    must(ledger_.stalled(now_, kStall) == stalled, "who leaves one untaken is stalled");
  }

 private:
  static constexpr std::uint64_t kWrap = std::uint64_t{1} << 32;
  static constexpr Duration kStall = std::chrono::milliseconds(20);

  static std::uint32_t low(std::uint64_t number) { return static_cast<std::uint32_t>(number); }

  void reopen_from(State state) {
    if (state_ == state) state_ = State::open;
  }

  void offer() {
    if (ledger_.credit() == 0) return;
    ++sent_;
    ledger_.offer(now_);
    offers_.push_back({now_, taken_in_all_});
  }

  void withdraw() {
    const std::uint32_t count = decisions_.pick(ledger_.pending() + 1);
    sent_ -= count;
    offers_.resize(offers_.size() - count);
    ledger_.withdraw(count);
  }

  /// What the worker says may be any number, also one before those it said.
  void claim(std::uint32_t more) {
    const bool true_claim = more <= sent_ - taken_;
    const std::optional<std::uint32_t> freed = ledger_.claim(low(taken_) + more, now_);
    must(freed.has_value() == true_claim, "a claim is believed if it can be true");
    if (!true_claim || more == 0) return;
    must(*freed == more, "a claim frees what it says");
    taken_ += more;
    taken_in_all_ += more;
    offers_.erase(offers_.begin(), offers_.begin() + more);
    must(ledger_.took_at() == now_, "when it took");
    reopen_from(State::full);
  }

  void revoke() {
    const std::uint64_t back = sent_ - taken_;
    must(ledger_.revoke() == back, "all that was not taken comes back");
    taken_ = sent_;
    offers_.clear();
    if (back > 0 && state_ != State::ended) state_ = State::revoked;
  }

  void drop() {
    const std::uint32_t off = decisions_.pick(3);
    const bool opens = state_ == State::revoked && off == 0;
    must(ledger_.dropped(low(sent_) + off) == opens, "only the whole truth reopens it");
    if (opens) state_ = State::open;
  }

  /// To half of what was taken while the oldest waited.
  void narrow() {
    ledger_.narrow();
    if (offers_.empty()) return;
    const std::uint64_t taken_meanwhile = taken_in_all_ - offers_.front().taken_in_all;
    window_ = std::max(1U, std::min(window_, low(taken_meanwhile / 2)));
    quick_looks_ = 0;
    taken_before_ = taken_in_all_;
  }

  void look() {
    const bool quick = offers_.empty() || now_ - offers_.front().at <= kStall / 4;
    ledger_.look(now_, kStall);
    if (window_ == widest_) return;
    quick_looks_ = quick ? quick_looks_ + 1 : 0;
    if (quick_looks_ < 5 || taken_in_all_ - taken_before_ < window_) return;
    window_ = std::min(widest_, window_ * 2);
    quick_looks_ = 0;
    taken_before_ = taken_in_all_;
  }

  struct Waiting {
    TimePoint at;
    std::uint64_t taken_in_all;  ///< when it was offered
  };

  Decisions& decisions_;
  std::uint32_t widest_;
  std::uint32_t window_;
  std::uint64_t sent_;
  std::uint64_t taken_;
  OfferLedger ledger_;
  State state_ = State::open;
  std::uint64_t taken_in_all_ = 0;
  TimePoint now_{std::chrono::hours(1)};
  std::deque<Waiting> offers_;
  unsigned quick_looks_ = 0;
  std::uint64_t taken_before_ = 0;
};

}  // namespace

void try_input(std::string_view input) {
  Decisions decisions(input);
  Books books(decisions);
  while (!decisions.none_left()) {
    books.step();
    books.must_be_equal();
  }
}

}  // namespace clusterd::fuzz
