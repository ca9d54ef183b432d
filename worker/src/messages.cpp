#include "worker/src/messages.h"

#include "worker/src/raise.h"

#include <algorithm>
#include <chrono>
#include <sys/timerfd.h>
#include <unistd.h>
#include <utility>

namespace clusterd::detail {
namespace {

/// Another one in each process, also if it gets the pid of one before; and exact in a double, for
/// programs that have no other numbers.
std::int64_t first_request() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
}

}  // namespace

Messages::Messages(std::shared_ptr<Outbox> outbox, std::function<void()> wake)
    : outbox_(std::move(outbox)),
      wake_(std::move(wake)),
      timer_(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)),
      pid_(::getpid()),
      requests_(first_request()) {
  if (!timer_) raise(errno_error("make a timer"));
}

void Messages::on(std::string_view action, Handler handler) {
  if (!handler) {
    handlers_.erase(std::string(action));
    return;
  }
  handlers_[std::string(action)] =
      std::make_shared<Registered>(Registered{std::move(handler), false});
}

void Messages::once(std::string_view action, Handler handler) {
  if (!handler) return on(action, nullptr);
  handlers_[std::string(action)] =
      std::make_shared<Registered>(Registered{std::move(handler), true});
}

bool Messages::hear(protocol::FromMaster said) {
  if (auto* envelope = std::get_if<Envelope>(&said)) {
    add(std::move(*envelope));
  } else if (auto* happened = std::get_if<protocol::Happened>(&said)) {
    add(std::move(*happened));
  } else if (auto* undelivered = std::get_if<protocol::Undelivered>(&said)) {
    add_undelivered(std::move(*undelivered));
  } else if (const auto* gone = std::get_if<protocol::Gone>(&said)) {
    for (const std::int64_t request : gone->requests) fail(request, Answer::Outcome::gone);
  } else if (const auto* pressure = std::get_if<protocol::Pressure>(&said)) {
    add(*pressure);
  } else {
    return false;
  }
  return true;
}

void Messages::master_is_gone() {
  std::vector<AnswerHandler> all;
  {
    const std::scoped_lock lock(mutex_);
    all = requests_.take_all();
  }
  for (AnswerHandler& handler : all) add(Failed{std::move(handler), Answer::Outcome::gone});
}

/// Requests among them are told to who asked, and are not counted for others.
void Messages::add_undelivered(protocol::Undelivered news) {
  for (const std::int64_t request : news.requests) {
    if (request == 0) continue;
    fail(request, Answer::Outcome::undelivered);
    --news.count;
  }
  if (news.count > 0) add(std::move(news));
}

void Messages::fail(std::int64_t request, Answer::Outcome why) {
  const std::scoped_lock lock(mutex_);
  if (auto handler = requests_.take(request)) news_.push_back(Failed{std::move(handler), why});
}

void Messages::add(News news) {
  const std::scoped_lock lock(mutex_);
  news_.push_back(std::move(news));
}

bool Messages::waiting() {
  const std::scoped_lock lock(mutex_);
  return !news_.empty();
}

std::vector<Messages::News> Messages::take() {
  const std::scoped_lock lock(mutex_);
  return std::exchange(news_, {});
}

Messages::AnswerHandler Messages::take_request(std::int64_t number) {
  const std::scoped_lock lock(mutex_);
  return requests_.take(number);
}

std::vector<Messages::AnswerHandler> Messages::take_expired() {
  const std::scoped_lock lock(mutex_);
  if (!armed_for_) return {};
  const TimePoint now = Clock::now();
  if (now < *armed_for_) return {};
  auto expired = requests_.take_expired(now);
  armed_for_.reset();
  if (const auto next = requests_.next_deadline()) {
    arm(*next);
  } else {
    const itimerspec never{};
    ::timerfd_settime(timer_.get(), 0, &never, nullptr);
  }
  return expired;
}

/// One that is answered in time leaves the timer as it is: it is looked at again when it ends.
void Messages::arm(TimePoint at) {
  armed_for_ = at;
  const auto left = std::chrono::nanoseconds(at - Clock::now()).count();
  const std::int64_t ns = std::max<std::int64_t>(1, left);
  constexpr std::int64_t kSecond = 1'000'000'000;
  const itimerspec once{{0, 0}, {ns / kSecond, ns % kSecond}};
  ::timerfd_settime(timer_.get(), 0, &once, nullptr);
}

/// What the master has not been told of was lost, should this process end now.
void Messages::tell_heard() {
  if (outbox_ && heard_ > 0) outbox_->put(encode(protocol::Heard{heard_}));
  heard_ = 0;
}

void Messages::wake() {
  if (in_turn_.load(std::memory_order_relaxed) == std::this_thread::get_id()) return;
  if (!woken_.exchange(true)) wake_();
}

void Messages::tell(const News& news) {
  std::visit([this](const auto& one) { tell_of(one); }, news);
}

void Messages::tell_of(const Envelope& envelope) {
  ++heard_;
  if (envelope.reply != 0) {
    if (const AnswerHandler asked = take_request(envelope.reply))
      asked(Answer{Answer::Outcome::answered, envelope.data, envelope.sender_pid});
    return;
  }
  auto found = handlers_.find(envelope.action);
  if (found == handlers_.end()) found = handlers_.find("");
  if (found == handlers_.end()) return;
  // A copy: the handler may replace itself, or take itself off.
  const auto registered = found->second;
  if (registered->once) handlers_.erase(found);
  registered->handler(
      Message{envelope.action, envelope.data, envelope.sender_pid, envelope.request});
}

// Copies of the callbacks are called: one may replace itself.

void Messages::tell_of(const Failed& failed) const { failed.handler(Answer{failed.why}); }

void Messages::tell_of(const protocol::Happened& happened) const {
  if (const auto call = on_event) call(happened.event);
}

void Messages::tell_of(const protocol::Undelivered& undelivered) const {
  if (const auto call = on_undelivered) call(undelivered.action, undelivered.count);
}

void Messages::tell_of(const protocol::Pressure& pressure) const {
  if (const auto call = on_pressure) call(pressure.pid, pressure.high);
}

}  // namespace clusterd::detail
