#include "tests/support/exchanges.h"

#include "common/unique_fd.h"

#include <cstddef>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <utility>

namespace clusterd::test {

Exchanges::Exchanges(std::uint16_t port, std::string request, std::string wanted)
    : port_(port), request_(std::move(request)), wanted_(std::move(wanted)) {
  for (unsigned i = 0; i < kClients; ++i) clients_.emplace_back([this] { run(); });
}

void Exchanges::stop() {
  stopped_ = true;
  for (std::thread& client : clients_) client.join();
  clients_.clear();
}

void Exchanges::run() {
  while (!stopped_) {
    exchange();
    // A load that leaves the machine some of its time.
    ::poll(nullptr, 0, 3);
  }
}

void Exchanges::exchange() {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval patience{10, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port_);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) {
    ++refused_;
    return;
  }
  (void)!::send(fd.get(), request_.data(), request_.size(), MSG_NOSIGNAL);
  std::string answer;
  char piece[4096];
  for (ssize_t got = 0; (got = ::recv(fd.get(), piece, sizeof piece, 0)) > 0;) {
    answer.append(piece, static_cast<std::size_t>(got));
  }
  ++(answer.find(wanted_) == std::string::npos ? lost_ : done_);
}

std::string fastcgi_request(const std::string& script) {
  constexpr char kBegin = 1;
  constexpr char kParams = 4;
  constexpr char kStdin = 5;
  const auto record = [](char type, const std::string& content) {
    const auto size = static_cast<unsigned>(content.size());
    const char head[] = {1, type, 0, 1, static_cast<char>(size >> 8U), static_cast<char>(size),
                         0, 0};
    return std::string(head, sizeof head) + content;
  };
  const auto pair = [](const std::string& name, const std::string& value) {
    return std::string{static_cast<char>(name.size()), static_cast<char>(value.size())} + name +
           value;
  };
  return record(kBegin, std::string("\0\1\0\0\0\0\0\0", 8)) +
         record(kParams, pair("SCRIPT_FILENAME", script) + pair("REQUEST_METHOD", "GET")) +
         record(kParams, "") + record(kStdin, "");
}

}  // namespace clusterd::test
