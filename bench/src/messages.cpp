// A worker that measures messages: bench-messages KIND BYTES SECONDS FILE [MOST]
//
// KIND is oneway (slot 0 to slot 1), bcast (slot 0 to all), rtt (a request of slot 0 to slot 1, and
// its answer) or turn (the same to itself: to the master and back). Slot 0 sends for SECONDS, or
// until MOST messages are sent, as fast as its receivers take them, and then asks every slot what
// it has heard. It writes one line of JSON to FILE: how many messages were heard a second, how many
// were sent, heard and reported lost.
#include <chrono>
#include <clusterd/worker.hpp>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <string>
#include <string_view>

namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr int kBurst = 256;  // messages that are sent before the loop turns

double seconds_between(Clock::time_point first, Clock::time_point last) {
  return std::chrono::duration<double>(last - first).count();
}

/// What a receiver has heard.
struct Tally {
  std::int64_t count = 0;
  Clock::time_point first;
  Clock::time_point last;

  void hear() {
    // A clock that is read for each message would be a part of what is measured.
    if (count == 0) first = Clock::now();
    ++count;
    if (count % 64 == 0) last = Clock::now();
  }
  [[nodiscard]] std::string json() const {
    char text[128];
    std::snprintf(text, sizeof text, "[%lld,%.9f]", static_cast<long long>(count),
                  count < 64 ? 0.0 : seconds_between(first, last));
    return text;
  }
};

class Bench {
 public:
  explicit Bench(char** argv)
      : kind_(argv[1]),
        data_('"' + std::string(std::strtoul(argv[2], nullptr, 10), 'x') + '"'),
        length_(std::strtod(argv[3], nullptr)),
        file_(argv[4]),
        most_(argv[5] == nullptr ? INT64_MAX : std::atoll(argv[5])),
        slot_(std::atoi(std::getenv("CLUSTERD_SLOT"))) {}

  int run() {
    worker_.on("m", [this](const clusterd::Message& message) {
      tally_.hear();
      if (message.request != 0) worker_.reply(message, message.data);
    });
    worker_.on("told",
               [this](const clusterd::Message& message) { worker_.reply(message, tally_.json()); });
    worker_.on_undelivered([this](std::string_view, std::int64_t count) { lost_ += count; });
    worker_.on_send_room([this] { go_on(); });
    worker_.on_pressure([this](std::int64_t pid, bool high) {
      if (high) slow_.insert(pid);
      if (!high && slow_.erase(pid) > 0 && slow_.empty()) go_on();
    });
    worker_.on_event([this](std::string_view) {
      if (slot_ == 0) start();
    });
    worker_.ready();
    return worker_.run();
  }

 private:
  void start() {
    started_ = Clock::now();
    if (kind_ == "rtt" || kind_ == "turn") return ask();
    go_on();
  }

  [[nodiscard]] bool is_over() const {
    return sent_ >= most_ || seconds_between(started_, Clock::now()) >= length_;
  }

  void go_on() {
    if (going_) return;
    going_ = true;
    worker_.post([this] { burst(); });
  }

  void burst() {
    going_ = false;
    if (done_) return;
    if (is_over()) return finish();
    const clusterd::To to = kind_ == "bcast" ? clusterd::To::app() : clusterd::To::slot(1);
    for (int left = kBurst; left > 0; --left) {
      if (!slow_.empty() || !worker_.send(to, "m", data_)) return;
      ++sent_;
    }
    go_on();
  }

  void ask() {
    if (is_over()) return report(sent_, sent_, seconds_between(started_, Clock::now()));
    const bool asked = worker_.request(clusterd::To::slot(kind_ == "turn" ? 0 : 1), "m", data_, 10s,
                                       [this](const clusterd::Answer& answer) {
                                         if (!answer) ++lost_;
                                         ++sent_;
                                         ask();
                                       });
    if (!asked) std::abort();
  }

  void finish() {
    done_ = true;
    collect(kind_ == "bcast" ? 0 : 1);
  }

  void collect(std::uint32_t slot) {
    const bool asked =
        worker_.request(clusterd::To::slot(slot), "told", "null", 60s,
                        [this, slot](const clusterd::Answer& answer) {
                          long long count = 0;
                          double lasted = 0;
                          const std::string text(answer.data);
                          if (std::sscanf(text.c_str(), "[%lld,%lf]", &count, &lasted) != 2) {
                            return report(heard_, sent_, seconds_);
                          }
                          heard_ += count;
                          seconds_ = lasted > seconds_ ? lasted : seconds_;
                          if (kind_ == "bcast") return collect(slot + 1);
                          report(heard_, sent_, seconds_);
                        });
    if (!asked) std::abort();
  }

  void report(std::int64_t heard, std::int64_t sent, double lasted) const {
    std::FILE* file = std::fopen((file_ + ".new").c_str(), "w");
    if (file == nullptr) std::abort();
    std::fprintf(file, "{\"rate\":%.1f,\"heard\":%lld,\"sent\":%lld,\"lost\":%lld}\n",
                 lasted > 0 ? static_cast<double>(heard) / lasted : 0.0,
                 static_cast<long long>(heard), static_cast<long long>(sent),
                 static_cast<long long>(lost_));
    std::fclose(file);
    std::rename((file_ + ".new").c_str(), file_.c_str());
  }

  clusterd::Worker worker_;
  const std::string kind_;
  const std::string data_;
  const double length_;
  const std::string file_;
  const std::int64_t most_;
  const int slot_;
  Tally tally_;
  std::set<std::int64_t> slow_;
  Clock::time_point started_;
  std::int64_t sent_ = 0;
  std::int64_t heard_ = 0;
  std::int64_t lost_ = 0;
  double seconds_ = 0;
  bool going_ = false;
  bool done_ = false;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) {
    std::fputs("bench-messages KIND BYTES SECONDS FILE [MOST]\n", stderr);
    return 64;
  }
  return Bench(argv).run();
}
