#include "agent/old_log_keeper.h"

#include <chrono>
#include <utility>

namespace clusterd::agent {
namespace {

/// A step takes some 2 ms, and what serves clients comes first.
constexpr auto kPause = std::chrono::milliseconds(5);

/// Of logs by age, what this one was compressed to, or nothing.
const OldLog* compressed(const std::vector<OldLog>& old, std::size_t plain) {
  const std::size_t next = plain + 1;
  const bool is = old[plain].form == OldLog::Form::plain && next < old.size() &&
                  old[next].name == old[plain].name + ".gz";
  return is ? &old[next] : nullptr;
}

}  // namespace

OldLogKeeper::OldLogKeeper(boost::asio::io_context& io, Complain complain)
    : complain_(std::move(complain)), timer_(io) {}

void OldLogKeeper::begin(const LogFile& file) {
  file_ = &file;
  // Of one who went away in the middle.
  for (const OldLog& each : file_->old()) {
    if (each.form == OldLog::Form::unfinished) (void)file_->remove(each.name);
  }
}

void OldLogKeeper::tidy(const LogRules& rules) {
  rules_ = rules;
  const std::vector<OldLog> old = file_->old();
  std::vector<std::string> to_go = too_many(old, rules_);
  for (std::size_t at = 0; at < old.size(); ++at) {
    // Its compressed form is complete: who made that was gone before this was removed. With another
    // time it is what somebody unpacks just now.
    const OldLog* const gz = compressed(old, at);
    if (gz != nullptr && gz->written_at == old[at].written_at) to_go.push_back(old[at].name);
  }
  for (const std::string& name : to_go) {
    if (gzip_ && gzip_->name() == name) gzip_.reset();
    if (auto removed = file_->remove(name); !removed) complain_(removed.error().message());
    not_to_compress_.erase(name);
  }
  compress();
}

const OldLog* OldLogKeeper::next_to_compress(const std::vector<OldLog>& old) const {
  for (std::size_t at = 0; at < old.size(); ++at) {
    if (old[at].form != OldLog::Form::plain || compressed(old, at) != nullptr) continue;
    if (!not_to_compress_.contains(old[at].name)) return &old[at];
  }
  return nullptr;
}

/// One at a time.
void OldLogKeeper::compress() {
  if (gzip_ || !rules_.gzip) return;
  const std::vector<OldLog> old = file_->old();
  std::uint64_t total = file_->size();
  for (const OldLog& each : old) total += each.size;
  while (const OldLog* const next = next_to_compress(old)) {
    // It takes as much room again, at worst.
    if (rules_.max_total > 0 && total + next->size > rules_.max_total) return;
    auto begun = Gzip::begin(file_->folder(), next->name);
    if (begun) {
      gzip_.emplace(std::move(*begun));
      return step();
    }
    not_to_compress_.insert(next->name);
    complain_(begun.error().message());
  }
}

void OldLogKeeper::step() {
  timer_.expires_after(kPause);
  timer_.async_wait([this](boost::system::error_code error) {
    if (error || !gzip_) return;
    const auto done = gzip_->step();
    if (done && !*done) return step();
    if (!done) {
      not_to_compress_.insert(gzip_->name());
      complain_(done.error().message());
    }
    gzip_.reset();
    tidy(rules_);
  });
}

}  // namespace clusterd::agent
