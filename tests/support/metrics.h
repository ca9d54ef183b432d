#pragma once

#include "tests/support/cluster.h"
#include "tests/support/http.h"

#include <boost/json/object.hpp>

#include <chrono>
#include <map>
#include <poll.h>
#include <sstream>
#include <string>
#include <sys/socket.h>

/// What [http] answers, in tests.
namespace clusterd::test {

inline const std::string kHttp = "[http]\naddress = \"127.0.0.1:0\"\n";

/// Where the agent answers, as the status says; 0 while it does not.
[[nodiscard]] inline std::uint16_t http_port(const Cluster& cluster) {
  const auto now = cluster.status();
  if (!now || !now->at("http").is_object()) return 0;
  const std::string address(now->at("http").at("address").as_string());
  return static_cast<std::uint16_t>(std::stoul(address.substr(address.rfind(':') + 1)));
}

struct Page {
  int status = 0;  ///< 0: no answer
  std::string body;
};

/// One request on a connection of its own.
[[nodiscard]] inline Page page(std::uint16_t port, const std::string& path,
                               std::chrono::milliseconds deadline = std::chrono::seconds(10)) {
  Client client(port);
  if (client.refused()) return {};
  client.ask(true, path);
  const auto end = std::chrono::steady_clock::now() + deadline;
  std::string text;
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    pollfd ready{client.fd(), POLLIN, 0};
    if (left.count() <= 0 || ::poll(&ready, 1, static_cast<int>(left.count())) <= 0) return {};
    char buffer[16384];
    const ssize_t got = ::recv(client.fd(), buffer, sizeof buffer, 0);
    if (got < 0) return {};
    if (got == 0) break;
    text.append(buffer, static_cast<std::size_t>(got));
  }
  const std::size_t body = text.find("\r\n\r\n");
  if (!text.starts_with("HTTP/1.1 ") || body == std::string::npos) return {};
  return {std::stoi(text.substr(9)), text.substr(body + 4)};
}

using Metrics = std::map<std::string, double>;

/// The samples of a page: `clusterd_slot_up{slot="0"}` and its value.
[[nodiscard]] inline Metrics metrics_of(const std::string& body) {
  Metrics metrics;
  std::istringstream lines(body);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with('#')) continue;
    const std::size_t blank = line.rfind(' ');
    metrics[line.substr(0, blank)] = std::stod(line.substr(blank + 1));
  }
  return metrics;
}

[[nodiscard]] inline Metrics metrics(std::uint16_t port) {
  return metrics_of(page(port, "/metrics").body);
}

/// Whether no counter of `before` is smaller in `after`, or gone.
[[nodiscard]] inline std::string went_down(const Metrics& before, const Metrics& after) {
  std::string names;
  for (const auto& [name, value] : before) {
    if (name.substr(0, name.find('{')).find("_total") == std::string::npos) continue;
    const auto found = after.find(name);
    if (found == after.end() || found->second < value) names += name + " ";
  }
  return names;
}

}  // namespace clusterd::test
