#include "master/runtime/scheduler.h"

#include "common/envelope.h"
#include "common/log.h"
#include "master/runtime/describe.h"
#include "master/runtime/note_event.h"
#include "master/runtime/schedule_report.h"

#include <cerrno>
#include <charconv>
#include <ctime>
#include <fcntl.h>
#include <stdexcept>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace clusterd::runtime {
namespace {

using namespace core::schedule;
using core::schedule::Result;
using Target = config::Schedule::Target;

/// The zone of this machine, as it was when tzset(3) was called last.
std::int64_t zone_offset(core::WallSeconds at) {
  const std::time_t time = at;
  std::tm local{};
  return ::localtime_r(&time, &local) == nullptr ? 0 : local.tm_gmtoff;
}

/// No two masters of one cluster have the same.
std::string prefix_of_now() {
  char digits[20];
  const auto [end, status] = std::to_chars(
      digits, digits + sizeof digits,
      std::chrono::system_clock::now().time_since_epoch() / std::chrono::milliseconds(1), 36);
  return std::string(digits, end) + "-";
}

int copy_of(int fd) {
  const int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) throw std::system_error(errno, std::system_category(), "copy a timer");
  return copy;
}

os::WallTimer make_timer() {
  auto timer = os::WallTimer::create();
  if (!timer) throw std::runtime_error(timer.error().message());
  return std::move(*timer);
}

Recipient recipient(Target target) {
  using Kind = Recipient::Kind;
  if (target == Target::all) return {Kind::app, 0};
  return {target == Target::one ? Kind::random : Kind::agent, 0};
}

}  // namespace

Scheduler::Scheduler(Needs needs, const rlimit& open_files)
    : needs_(std::move(needs)),
      core_(needs_.settings().schedules, &zone_offset),
      prefix_(prefix_of_now()),
      commands_(needs_.io, needs_.log_tail, open_files,
                [this](RunId run, std::string error, std::string last_words) {
                  handle(CommandEnded{run, std::move(error), std::move(last_words)});
                }),
      timer_(needs_.io),
      wall_(make_timer()),
      wall_readable_(needs_.io, copy_of(wall_.fd())) {
  needs_.messenger.tell_scheduler(
      [this](ChildId child, const protocol::Ran& said) { ran(child, said); });
  ::tzset();
}

void Scheduler::begin() {
  wait_for_wall();
  handle(Begin{});
}

void Scheduler::stop(bool now) {
  stops_now_ = stops_now_ || now;
  handle(Stop{});
  if (stops_now_) commands_.end_all_now();
}

void Scheduler::configure() {
  ::tzset();
  handle(Replaced{needs_.settings().schedules});
}

void Scheduler::finish(std::function<void()> done) {
  const Duration patience = stops_now_ ? Duration::zero() : needs_.settings().worker.kill_timeout;
  commands_.finish(patience, std::move(done));
}

void Scheduler::joined(ChildId child, const Member& member) {
  members_[child] = member;
  handle(Joined{child});
}

void Scheduler::left(ChildId child) { handle(Left{child}); }

void Scheduler::gone(ChildId child) {
  handle(Gone{child});
  members_.erase(child);
}

void Scheduler::handles(ChildId child, const protocol::Handles& said) {
  handle(Handles{child, said.schedule});
}

/// What is no run of this master is one of nobody: the answer to a question that is over.
void Scheduler::ran(ChildId child, const protocol::Ran& said) {
  if (!said.run.starts_with(prefix_)) return;
  std::uint64_t number = 0;
  const char* end = said.run.data() + said.run.size();
  const auto [stop, status] = std::from_chars(said.run.data() + prefix_.size(), end, number);
  if (status == std::errc() && stop == end) handle(Answered{RunId{number}, child, said.error});
}

void Scheduler::list(const Reply& reply) const {
  const auto text = [this](RunId run) { return text_of(run); };
  reply.finish(schedule_report(core_.entries(), now(), text));
}

void Scheduler::run(const std::string& schedule, const Reply& reply) {
  const std::uint64_t ticket = next_ticket_++;
  asked_[ticket] = reply;
  handle(Requested{ticket, schedule});
}

/// What an action raises waits until the actions before it are carried out.
void Scheduler::handle(core::schedule::Event event) {
  events_.push_back(std::move(event));
  if (std::exchange(handling_, true)) return;
  while (!events_.empty()) {
    const core::schedule::Event next = std::move(events_.front());
    events_.pop_front();
    for (const Action& action : core_.step(now(), next)) {
      std::visit([this](const auto& what) { carry_out(what); }, action);
    }
  }
  handling_ = false;
  arm();
}

void Scheduler::carry_out(const Tell& tell) {
  const config::Schedule& schedule = *tell.schedule;
  const bool queued =
      tell.as_run
          ? needs_.messenger.tell(tell.child,
                                  protocol::RunNow{text_of(tell.run), schedule.name, schedule.data})
          : needs_.messenger.tell(tell.child, Envelope{schedule.action, recipient(schedule.target),
                                                       schedule.data, ::getpid()});
  handle(Queued{tell.run, tell.child, queued});
}

void Scheduler::carry_out(const RunCommand& run) {
  commands_.start(run.run, text_of(run.run), *run.schedule, needs_.settings());
}

void Scheduler::carry_out(const EndCommand& end) { commands_.end(end.run, end.now || stops_now_); }

void Scheduler::carry_out(const Accepted& accepted) {
  const Reply reply = asked_.extract(accepted.ticket).mapped();
  const std::string run = "run " + text_of(accepted.run);
  reply.progress(accepted.waits ? run + " waits for the one before" : run + " begins");
  waiting_[accepted.run] = reply;
}

void Scheduler::carry_out(const Refused& refused) {
  asked_.extract(refused.ticket).mapped().refuse(refused.why);
}

void Scheduler::carry_out(const Ended& ended) {
  write_log(ended);
  needs_.count(ended);
  // A failure or its end is worth keeping: all runs would push out all else that has happened.
  needs_.record(event_of(ended), ended.news && ended.result != Result::skipped);
  if (auto waits = waiting_.extract(ended.run)) {
    answer_run(waits.mapped(), ended, text_of(ended.run));
  }
}

void Scheduler::arm() {
  if (wall_.set(core_.next_wall())) return handle(ClockSet{});
  const auto next = core_.next_time();
  if (!next) {
    timer_.expires_at(TimePoint::min());
    return;
  }
  if (timer_.expiry() == *next) return;  // as most often
  timer_.expires_at(*next);
  timer_.async_wait([this](boost::system::error_code error) {
    if (error) return;
    timer_.expires_at(TimePoint::min());
    handle(TimePassed{});
  });
}

void Scheduler::wait_for_wall() {
  wall_readable_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                            [this](boost::system::error_code error) {
                              if (error) return;
                              const os::WallTimer::News news = wall_.take();
                              if (news == os::WallTimer::News::clock_set) handle(ClockSet{});
                              if (news == os::WallTimer::News::fired) handle(TimePassed{});
                              wait_for_wall();
                            });
}

core::Moment Scheduler::now() { return {Clock::now(), std::chrono::system_clock::now()}; }

std::string Scheduler::text_of(RunId run) const {
  return prefix_ + std::to_string(static_cast<std::uint64_t>(run));
}

Event Scheduler::event_of(const Ended& ended) const {
  Event event{.name = "run", .role = "master", .pid = ::getpid()};
  if (const auto member = ended.child ? members_.find(*ended.child) : members_.end();
      member != members_.end()) {
    const Member& of = member->second;
    event = event_about("run", *ended.child, of.slot.value_or(SlotId{}), of.pid, of.generation);
  }
  event.texts = {{"schedule", ended.schedule->name},
                 {"run", ended.run == RunId{} ? "" : text_of(ended.run)},
                 {"target", target_name(ended.schedule->target)},
                 {"result", result_name(ended.result)}};
  event.numbers = {{"ms", ended.took / std::chrono::milliseconds(1)}};
  if (ended.schedule->target == Target::all) {
    event.numbers.emplace_back("workers", ended.receivers);
    event.numbers.emplace_back("failed", ended.failed);
  }
  event.reason = ended.error;
  event.last_words = ended.last_words;
  return event;
}

void Scheduler::write_log(const Ended& ended) const {
  const std::string who = "schedule " + ended.schedule->name + ": ";
  switch (ended.result) {
    case Result::ok:
      return log::debug(who + "run " + text_of(ended.run) + " took " + describe(ended.took));
    case Result::sent:
      return log::debug(who + "run " + text_of(ended.run) + " was told");
    case Result::error:
      return log::warn(who + "run " + text_of(ended.run) + " failed after " + describe(ended.took) +
                       ": " + ended.error);
    case Result::skipped:
      return log::write(ended.news ? log::Level::warn : log::Level::debug,
                        who + "left out: " + ended.error);
  }
}

}  // namespace clusterd::runtime
