#include "master/ctl/client.h"

#include "common/json.h"
#include "common/line_reader.h"
#include "config/parse.h"
#include "master/os/pidfd.h"
#include "master/os/unix_listener.h"

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <poll.h>
#include <sys/socket.h>

namespace clusterd::ctl {
namespace {

/// A status of a thousand workers is some 300 KiB.
constexpr std::size_t kLongestAnswer = 16 * 1024 * 1024;
constexpr int kAnswerTimeoutMs = 10'000;

std::variant<std::string, Failure> socket_of(const config::Target& target) {
  if (!target.socket.empty()) return target.socket;
  const auto loaded = config::load(target.file);
  if (const auto* settings = std::get_if<config::Settings>(&loaded))
    return settings->control.socket;
  std::string text;
  for (const config::Mistake& mistake : std::get<config::Mistakes>(loaded)) {
    text += (text.empty() ? "" : "\n") + config::text(target.file, mistake);
  }
  return Failure{text, kExitConfig};
}

/// How long the end of a process may come after that of its sockets.
constexpr int kEndTimeoutMs = 1'000;

enum class Wait : std::uint8_t { readable, unheard, timed_out };

/// Waits until there is something to read at `fd`.
Wait wait_for(int fd, const Request& request) {
  pollfd both[] = {{fd, POLLIN, 0}, {request.listener_fd, 0, 0}};
  for (;;) {
    const int ready = ::poll(both, 2, request.patient ? -1 : kAnswerTimeoutMs);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return Wait::timed_out;
    return both[1].revents != 0 ? Wait::unheard : Wait::readable;
  }
}

/// One who is refused may find the other end closed already: why can still be read.
bool send_line(int fd, const std::string& line) {
  const std::string text = line + "\n";
  const ssize_t sent = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
  return sent == static_cast<ssize_t>(text.size()) || (sent < 0 && errno == EPIPE);
}

}  // namespace

std::variant<Client, Failure> Client::connect(const config::Target& target) {
  const auto socket = socket_of(target);
  if (const auto* failure = std::get_if<Failure>(&socket)) return *failure;
  const auto& path = std::get<std::string>(socket);
  auto fd = os::connect_unix(path, 0);
  if (fd) return Client(std::move(*fd));
  const std::error_code code = fd.error().code;
  if (code == std::errc::no_such_file_or_directory || code == std::errc::connection_refused ||
      code == std::errc::not_a_directory) {
    return Failure{"no master is running at " + path, kExitNoMaster};
  }
  return Failure{fd.error().message(), kExitSystem};
}

std::variant<std::string, Failure> Client::ask(const Request& request) {
  auto last = converse(request, [](std::string_view) { return true; });
  const auto* line = std::get_if<std::string>(&last);
  if (line == nullptr) return last;
  const auto answer = check_json(*line);
  if (answer->boolean("ok") == true) return last;
  return Failure{answer->string("error").value_or("the master refused"), kExitSystem};
}

std::variant<std::string, Failure> Client::converse(const Request& request, const OnLine& on_line) {
  if (!send_line(fd_.get(), request.line)) {
    return Failure{errno_error("write to the master").message(), kExitSystem};
  }
  const Result<UniqueFd> master = master_process();
  LineReader lines(kLongestAnswer);
  for (;;) {
    while (const auto line = lines.next()) {
      const auto answer = check_json(*line);
      if (!answer || answer->kind != JsonKind::object) {
        return Failure{"the master's answer is no JSON object", kExitInternal};
      }
      const bool last = answer->find("ok") != nullptr;
      if (last || !on_line(*line)) return std::string(*line);
    }
    const Wait wait = wait_for(fd_.get(), request);
    if (wait == Wait::unheard) return "";
    if (wait == Wait::timed_out) return Failure{"the master does not answer"};
    char buffer[64 * 1024];
    const ssize_t got = ::recv(fd_.get(), buffer, sizeof buffer, 0);
    if (got <= 0 || lines.too_long()) return no_more(request.verb, master);
    lines.add({buffer, static_cast<std::size_t>(got)});
  }
}

/// Why no line comes any more: the master is gone, or wants no more of this client.
Failure Client::no_more(const std::string& verb, const Result<UniqueFd>& master) const {
  pollfd end{master ? master->get() : -1, POLLIN, 0};
  const bool gone = master && ::poll(&end, 1, kEndTimeoutMs) > 0;
  return {gone ? "the master ended in mid-" + verb : "the master closed the connection"};
}

Result<UniqueFd> Client::master_process() const {
  const auto peer = os::peer_of(fd_.get());
  if (!peer) return errno_error("find the master's process");
  UniqueFd process(::pidfd_open(peer->pid, 0));
  if (!process) return errno_error("watch the master's process " + std::to_string(peer->pid));
  return process;
}

int report(const Failure& failure) {
  std::fprintf(stderr, "clusterd: %s\n", failure.text.c_str());
  return failure.code;
}

}  // namespace clusterd::ctl
