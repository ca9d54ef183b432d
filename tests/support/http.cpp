#include "tests/support/http.h"

#include <arpa/inet.h>
#include <cerrno>
#include <cstdlib>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

namespace clusterd::test {
namespace {

using Clock = std::chrono::steady_clock;

/// Reads more into `text`; anything but `ok` ends the reading.
Reply::Kind read_more(int fd, std::string& text, Clock::time_point end) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now());
  pollfd ready{fd, POLLIN, 0};
  if (left.count() <= 0 || ::poll(&ready, 1, static_cast<int>(left.count())) == 0) {
    return Reply::Kind::timeout;
  }
  char buffer[4096];
  const ssize_t got = ::recv(fd, buffer, sizeof buffer, 0);
  if (got == 0) return Reply::Kind::eof;
  if (got < 0) return errno == ECONNRESET ? Reply::Kind::reset : Reply::Kind::other;
  text.append(buffer, static_cast<std::size_t>(got));
  return Reply::Kind::ok;
}

Reply finish(Reply::Kind kind, const std::string& text) {
  const std::size_t body = text.find("\r\n\r\n");
  const bool whole = text.starts_with("HTTP/1.1 200") && body != std::string::npos;
  const bool closes = text.find("\r\nConnection: close\r\n") < body;
  return {whole ? Reply::Kind::ok : kind, whole ? text.substr(body + 4) : "", Clock::now(), closes};
}

}  // namespace

Client::Client(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) < 0) fd_.reset();
}

void Client::ask(bool close, const std::string& path) {
  const std::string request = "GET " + path + " HTTP/1.1\r\nHost: test\r\n" +
                              (close ? "Connection: close\r\n" : "") + "\r\n";
  (void)!::send(fd_.get(), request.data(), request.size(), MSG_NOSIGNAL);
}

Reply Client::read_to_end(std::chrono::milliseconds deadline) {
  const auto end = Clock::now() + deadline;
  std::string text;
  for (;;) {
    const Reply::Kind kind = read_more(fd(), text, end);
    if (kind == Reply::Kind::eof) return finish(kind, text);
    if (kind != Reply::Kind::ok) return {kind, "", Clock::now()};
  }
}

Reply Client::read_one(std::chrono::milliseconds deadline) {
  const auto end = Clock::now() + deadline;
  std::string text;
  for (;;) {
    const std::size_t head = text.find("\r\n\r\n");
    const std::size_t field = text.find("Content-Length: ");
    if (head != std::string::npos && field != std::string::npos) {
      const auto length = std::strtoul(text.c_str() + field + 16, nullptr, 10);
      if (text.size() >= head + 4 + length) return finish(Reply::Kind::other, text);
    }
    const Reply::Kind kind = read_more(fd(), text, end);
    if (kind != Reply::Kind::ok) return {kind, text, Clock::now()};
  }
}

Reply get(std::uint16_t port, std::chrono::milliseconds deadline, const std::string& path) {
  Client client(port);
  if (client.refused()) return {Reply::Kind::refused, "", Clock::now()};
  client.ask(true, path);
  return client.read_to_end(deadline);
}

long pid_in(const std::string& body) {
  const std::size_t at = body.find("pid is ");
  return at == std::string::npos ? 0 : std::strtol(body.c_str() + at + 7, nullptr, 10);
}

}  // namespace clusterd::test
