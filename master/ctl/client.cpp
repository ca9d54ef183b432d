#include "master/ctl/client.h"

#include "common/json.h"
#include "common/line_reader.h"
#include "config/parse.h"
#include "master/os/pidfd.h"
#include "master/os/unix_listener.h"

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
  return Failure{text, kConfig};
}

std::variant<std::string, Failure> check_answer(std::string_view line) {
  const auto answer = check_json(line);
  if (!answer || answer->kind != JsonKind::object) {
    return Failure{"the master's answer is no JSON object", kInternal};
  }
  if (answer->boolean("ok") == true) return std::string(line);
  return Failure{answer->string("error").value_or("the master refused"), kSystem};
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
    return Failure{"no master is running at " + path, kNoSuchMaster};
  }
  return Failure{fd.error().message(), kSystem};
}

std::variant<std::string, Failure> Client::ask(const std::string& request) {
  if (::send(fd_.get(), request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size())) {
    return Failure{errno_error("write to the master").message(), kSystem};
  }
  LineReader lines(kLongestAnswer);
  for (;;) {
    if (const auto line = lines.next()) return check_answer(*line);
    pollfd ready{fd_.get(), POLLIN, 0};
    if (::poll(&ready, 1, kAnswerTimeoutMs) <= 0) return Failure{"the master does not answer"};
    char buffer[64 * 1024];
    const ssize_t got = ::recv(fd_.get(), buffer, sizeof buffer, 0);
    if (got <= 0 || lines.too_long()) return Failure{"the master closed the connection"};
    lines.add({buffer, static_cast<std::size_t>(got)});
  }
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
