#include "tests/support/load.h"

#include "common/unique_fd.h"
#include "tests/support/http.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <netinet/in.h>
#include <sstream>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

namespace clusterd::test {
namespace {

using Clock = std::chrono::steady_clock;
using Kind = Outcome::Kind;
using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr milliseconds kLongestWait(10);  // how soon stop() is noticed
constexpr unsigned kMostClients = 250;
constexpr rlim_t kDescriptors = 16'384;  // an open loop against a server that stands still

/// No two requests of a test program have the same.
std::uint64_t first_id() {
  static std::atomic<std::uint64_t> loads = 0;
  return ++loads << 40;
}

void raise_descriptor_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = std::max(limit.rlim_cur, std::min(limit.rlim_max, kDescriptors));
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

sockaddr_in address(std::uint32_t host, std::uint16_t port) {
  sockaddr_in result{};
  result.sin_family = AF_INET;
  result.sin_port = htons(port);
  result.sin_addr.s_addr = htonl(host);
  return result;
}

const sockaddr* plain(const sockaddr_in& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

/// The answer to an HTTP request is whole, or empty.
bool is_whole(const std::string& text) {
  const std::size_t head = text.find("\r\n\r\n");
  const std::size_t field = text.find("Content-Length: ");
  if (head == std::string::npos || field > head) return false;
  return text.size() >= head + 4 + std::strtoul(text.c_str() + field + 16, nullptr, 10);
}

Kind kind_of(int error) {
  switch (error) {
    case ECONNREFUSED:
      return Kind::refused;
    case ECONNRESET:
    case EPIPE:
      return Kind::reset;
    case ETIMEDOUT:
      return Kind::unanswered;
    default:
      return Kind::local;
  }
}

}  // namespace

/// One thread, one epoll set; all its own but the three atomics.
class Load::Loop {
 public:
  Loop(std::uint16_t port, LoadOptions options)
      : port_(port), options_(options), epoll_(::epoll_create1(EPOLL_CLOEXEC)), next_(first_id()) {
    options_.clients = std::clamp(options_.clients, 1U, kMostClients);
    for (unsigned client = options_.clients; client > 0; --client) idle_.push_back(client);
  }

  void run();

  std::atomic<bool> stopping = false;
  std::atomic<std::uint64_t> done = 0;
  std::atomic<std::uint64_t> ended = 0;
  LoadReport report;  ///< after run()

 private:
  struct Request {
    UniqueFd fd;
    unsigned client = 0;
    Clock::time_point begun{};
    bool asked = false;
    std::string answer{};
  };
  /// By id, which is also by age.
  using Requests = std::map<std::uint64_t, Request>;

  [[nodiscard]] bool may_begin() const;
  void begin_due(Clock::time_point now);
  void begin(unsigned client, Clock::time_point due);
  [[nodiscard]] int connect(std::uint64_t id, Request& request) const;
  void on_event(Requests::iterator at);
  [[nodiscard]] bool ask(Requests::iterator at);
  void read(Requests::iterator at);
  void end(Requests::iterator at, Kind kind);
  void give_up_old(Clock::time_point now);
  [[nodiscard]] int wait_ms(Clock::time_point now) const;

  const std::uint16_t port_;
  LoadOptions options_;
  UniqueFd epoll_;
  std::uint64_t next_;
  Requests open_;
  std::vector<unsigned> idle_;  ///< closed loop: clients without a connection
  Clock::time_point started_{};
};

void Load::Loop::run() {
  started_ = Clock::now();
  epoll_event events[64];
  for (;;) {
    begin_due(Clock::now());
    if (open_.empty() && !may_begin()) return;
    const int count = ::epoll_wait(epoll_.get(), events, 64, wait_ms(Clock::now()));
    for (int at = 0; at < count; ++at) {
      const auto found = open_.find(events[at].data.u64);
      if (found != open_.end()) on_event(found);
    }
    give_up_old(Clock::now());
  }
}

bool Load::Loop::may_begin() const {
  return !stopping && (options_.most == 0 || report.begun < options_.most);
}

void Load::Loop::begin_due(Clock::time_point now) {
  if (options_.rate == 0) {
    // Not more than there were: a client that is refused at once would keep us here for ever.
    for (std::size_t left = idle_.size(); left > 0 && may_begin(); --left) {
      const unsigned client = idle_.back();
      idle_.pop_back();
      begin(client, now);
    }
    return;
  }
  while (may_begin()) {
    const std::chrono::duration<double> since(static_cast<double>(report.begun) / options_.rate);
    const auto due = started_ + std::chrono::duration_cast<Clock::duration>(since);
    if (due > now) return;
    begin(1 + static_cast<unsigned>(report.begun % options_.clients), due);
  }
}

void Load::Loop::begin(unsigned client, Clock::time_point due) {
  ++report.begun;
  const auto at = open_.emplace(next_, Request{.fd = {}, .client = client, .begun = due}).first;
  const int error = connect(next_++, at->second);
  if (error != 0) end(at, kind_of(error));
}

int Load::Loop::connect(std::uint64_t id, Request& request) const {
  request.fd = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int fd = request.fd.get();
  const int on = 1;
  // The port is chosen at connect, by the whole connection: few are needed.
  ::setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  const sockaddr_in from = address(0x7F00'0100U + request.client, 0);
  const sockaddr_in to = address(INADDR_LOOPBACK, port_);
  if (fd < 0 || ::bind(fd, plain(from), sizeof from) < 0) return EMFILE;
  if (::connect(fd, plain(to), sizeof to) < 0 && errno != EINPROGRESS) return errno;
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLET;
  event.data.u64 = id;
  return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) < 0 ? EMFILE : 0;
}

void Load::Loop::on_event(Requests::iterator at) {
  if (at->second.asked || ask(at)) read(at);
}

/// False if the request has ended by that.
bool Load::Loop::ask(Requests::iterator at) {
  const int fd = at->second.fd.get();
  int error = 0;
  socklen_t length = sizeof error;
  ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
  const std::string text = "GET /" + std::to_string(at->first) + " HTTP/1.1\r\nHost: load\r\n\r\n";
  if (error == 0 && ::send(fd, text.data(), text.size(), MSG_NOSIGNAL) < 0) error = errno;
  if (error == EAGAIN) return true;  // not connected yet
  if (error != 0)
    end(at, kind_of(error));
  else
    at->second.asked = true;
  return error == 0;
}

void Load::Loop::read(Requests::iterator at) {
  Request& request = at->second;
  char buffer[4096];
  for (;;) {
    const ssize_t got = ::recv(request.fd.get(), buffer, sizeof buffer, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got < 0) return end(at, kind_of(errno));
    if (got == 0) return end(at, Kind::reset);
    request.answer.append(buffer, static_cast<std::size_t>(got));
    if (!is_whole(request.answer)) continue;
    const bool ours =
        request.answer.find("id is " + std::to_string(at->first) + "\n") != std::string::npos;
    return end(at, ours ? Kind::done : Kind::wrong_id);
  }
}

void Load::Loop::end(Requests::iterator at, Kind kind) {
  const auto now = Clock::now();
  const Request& request = at->second;
  report.outcomes.push_back({kind, static_cast<pid_t>(pid_in(request.answer)),
                             std::chrono::duration_cast<microseconds>(now - request.begun), now});
  if (options_.rate == 0) idle_.push_back(request.client);
  open_.erase(at);
  if (kind == Kind::done) ++done;
  ++ended;
}

void Load::Loop::give_up_old(Clock::time_point now) {
  while (!open_.empty() && now - open_.begin()->second.begun >= options_.patience) {
    end(open_.begin(), Kind::unanswered);
  }
}

int Load::Loop::wait_ms(Clock::time_point now) const {
  if (options_.rate == 0 || !may_begin()) return static_cast<int>(kLongestWait.count());
  const std::chrono::duration<double> since(static_cast<double>(report.begun) / options_.rate);
  const auto left = std::chrono::ceil<milliseconds>(started_ + since - now);
  return static_cast<int>(std::clamp(left, milliseconds(0), kLongestWait).count());
}

Load::Load(std::uint16_t port, LoadOptions options) : loop_(std::make_unique<Loop>(port, options)) {
  raise_descriptor_limit();
  thread_ = std::thread([this] { loop_->run(); });
}

Load::~Load() { (void)stop(); }

std::uint64_t Load::done() const { return loop_->done; }
std::uint64_t Load::ended() const { return loop_->ended; }

LoadReport Load::stop() {
  loop_->stopping = true;
  return join();
}

LoadReport Load::finish() { return join(); }

LoadReport Load::join() {
  if (!thread_.joinable()) return {};
  thread_.join();
  return std::move(loop_->report);
}

std::uint64_t LoadReport::count(Kind kind) const {
  return static_cast<std::uint64_t>(
      std::count_if(outcomes.begin(), outcomes.end(),
                    [kind](const Outcome& outcome) { return outcome.kind == kind; }));
}

std::uint64_t LoadReport::lost() const {
  return count(Kind::refused) + count(Kind::reset) + count(Kind::unanswered);
}

bool LoadReport::sound() const {
  return outcomes.size() == begun && count(Kind::wrong_id) == 0 && count(Kind::local) == 0;
}

microseconds LoadReport::percentile(double part, pid_t without) const {
  std::vector<microseconds> took;
  for (const Outcome& outcome : outcomes) {
    if (outcome.kind == Kind::done && outcome.worker != without) took.push_back(outcome.took);
  }
  if (took.empty()) return microseconds::max();
  const auto at = static_cast<std::ptrdiff_t>(part * static_cast<double>(took.size() - 1));
  std::nth_element(took.begin(), took.begin() + at, took.end());
  return took[static_cast<std::size_t>(at)];
}

std::map<pid_t, std::uint64_t> LoadReport::by_worker() const {
  std::map<pid_t, std::uint64_t> counts;
  for (const Outcome& outcome : outcomes) {
    if (outcome.kind == Kind::done) ++counts[outcome.worker];
  }
  return counts;
}

std::string LoadReport::text() const {
  std::ostringstream out;
  out << begun << " begun: " << done() << " done, " << count(Kind::refused) << " refused, "
      << count(Kind::reset) << " reset, " << count(Kind::unanswered) << " unanswered, "
      << count(Kind::wrong_id) << " wrong id, " << count(Kind::local) << " local";
  if (done() > 0) {
    out << "; p50 " << percentile(0.5).count() << " us, p99 " << percentile(0.99).count()
        << " us, longest " << percentile(1).count() << " us";
  }
  return out.str();
}

}  // namespace clusterd::test
