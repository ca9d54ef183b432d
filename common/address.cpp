#include "common/address.h"

#include <arpa/inet.h>
#include <charconv>
#include <cstring>
#include <netinet/in.h>

namespace clusterd {
namespace {

constexpr std::string_view kForms = "expected \"127.0.0.1:8080\" or \"[::1]:8080\"";

Error bad(std::string_view text, std::string_view why) {
  return make_error("bad address \"" + std::string(text) + "\": " + std::string(why) + " (" +
                    std::string(kForms) + ")");
}

}  // namespace

Result<Address> Address::parse(std::string_view text) {
  // inet_pton(3) would stop at it and believe the rest.
  if (text.find('\0') != std::string_view::npos) return bad(text, "it has a NUL byte");
  const bool v6 = text.starts_with('[');
  const std::size_t colon = v6 ? text.find("]:") : text.find(':');
  if (colon == std::string_view::npos) return bad(text, "no port");
  const std::string host(v6 ? text.substr(1, colon - 1) : text.substr(0, colon));
  const std::string_view port_text = text.substr(colon + (v6 ? 2 : 1));
  if (!v6 && port_text.find(':') != std::string_view::npos) {
    return bad(text, "an IPv6 host goes in brackets");
  }

  std::uint16_t port = 0;
  const char* end = port_text.data() + port_text.size();
  const auto [stop, status] = std::from_chars(port_text.data(), end, port);
  if (port_text.empty() || status != std::errc() || stop != end) {
    return bad(text, "the port is not a number from 0 to 65535");
  }

  Address address;
  if (v6) {
    sockaddr_in6 in{};
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(port);
    if (inet_pton(AF_INET6, host.c_str(), &in.sin6_addr) != 1) {
      return bad(text, "\"" + host + "\" is not an IPv6 address");
    }
    std::memcpy(&address.storage_, &in, sizeof in);
  } else {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(port);
    if (inet_pton(AF_INET, host.c_str(), &in.sin_addr) != 1) {
      return bad(text, "\"" + host + "\" is not an IPv4 address");
    }
    std::memcpy(&address.storage_, &in, sizeof in);
  }
  return address;
}

Result<Address> Address::from(const sockaddr* address, socklen_t length) {
  Address result;
  const bool fits = (length >= sizeof(sockaddr_in) && address->sa_family == AF_INET) ||
                    (length >= sizeof(sockaddr_in6) && address->sa_family == AF_INET6);
  if (!fits) return make_error("read an address: neither IPv4 nor IPv6");
  std::memcpy(&result.storage_, address,
              address->sa_family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in));
  return result;
}

std::uint16_t Address::port() const {
  if (is_v6()) return ntohs(reinterpret_cast<const sockaddr_in6&>(storage_).sin6_port);
  return ntohs(reinterpret_cast<const sockaddr_in&>(storage_).sin_port);
}

const sockaddr* Address::data() const { return reinterpret_cast<const sockaddr*>(&storage_); }

socklen_t Address::size() const { return is_v6() ? sizeof(sockaddr_in6) : sizeof(sockaddr_in); }

std::string Address::text() const {
  char host[INET6_ADDRSTRLEN] = "";
  if (is_v6()) {
    const auto& in = reinterpret_cast<const sockaddr_in6&>(storage_);
    inet_ntop(AF_INET6, &in.sin6_addr, host, sizeof host);
    return "[" + std::string(host) + "]:" + std::to_string(port());
  }
  const auto& in = reinterpret_cast<const sockaddr_in&>(storage_);
  inet_ntop(AF_INET, &in.sin_addr, host, sizeof host);
  return std::string(host) + ":" + std::to_string(port());
}

}  // namespace clusterd
