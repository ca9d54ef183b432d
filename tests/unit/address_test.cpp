#include "common/address.h"

#include <doctest/doctest.h>

#include <netinet/in.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <sys/un.h>

using clusterd::Address;
using namespace std::string_view_literals;

namespace {

std::string message_for(std::string_view text) {
  const auto address = Address::parse(text);
  CHECK_FALSE(address.has_value());
  return address.has_value() ? "" : address.error().message();
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace

TEST_CASE("an address that parses gives its text back") {
  for (const char* text :
       {"0.0.0.0:8080", "127.0.0.1:0", "255.255.255.255:65535", "[::]:80", "[::1]:65535",
        "[fe80::1]:1", "[2001:db8::ff00:42:8329]:443", "[::ffff:192.0.2.1]:80"}) {
    CAPTURE(text);
    const auto address = Address::parse(text);
    REQUIRE(address.has_value());
    CHECK((*address).text() == text);
  }
}

TEST_CASE("an address is written in one form only") {
  CHECK((*Address::parse("127.0.0.1:00080")).text() == "127.0.0.1:80");
  CHECK((*Address::parse("[0:0:0:0:0:0:0:1]:80")).text() == "[::1]:80");
  CHECK((*Address::parse("[2001:DB8::A]:80")).text() == "[2001:db8::a]:80");
}

TEST_CASE("the parts of an address are those of its text") {
  const auto v4 = Address::parse("127.0.0.1:8080");
  REQUIRE(v4.has_value());
  CHECK((*v4).family() == AF_INET);
  CHECK_FALSE((*v4).is_v6());
  CHECK((*v4).port() == 8080);
  CHECK((*v4).size() == sizeof(sockaddr_in));
  CHECK((*v4).data()->sa_family == AF_INET);

  const auto v6 = Address::parse("[::1]:443");
  REQUIRE(v6.has_value());
  CHECK((*v6).family() == AF_INET6);
  CHECK((*v6).is_v6());
  CHECK((*v6).port() == 443);
  CHECK((*v6).size() == sizeof(sockaddr_in6));
}

TEST_CASE("a text without a port is refused") {
  for (const char* text :
       {"", "8080", "127.0.0.1", "localhost", "[::1]", "[::1", "[", "[::1]8080"}) {
    CAPTURE(text);
    CHECK(contains(message_for(text), "no port"));
  }
}

TEST_CASE("a port that is no number from 0 to 65535 is refused") {
  for (const char* text :
       {"127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:99999999999999999999", "127.0.0.1:-1",
        "127.0.0.1:+80", "127.0.0.1: 80", "127.0.0.1:80 ", "127.0.0.1:80a", "127.0.0.1:0x50",
        "127.0.0.1:http", "[::1]:", "[::1]:65536", "[::1]:80]:81"}) {
    CAPTURE(text);
    CHECK(contains(message_for(text), "the port is not a number"));
  }
  CHECK(contains(message_for("127.0.0.1:80\0"sv), "it has a NUL byte"));
}

TEST_CASE("a host that is no number is refused") {
  for (const char* text : {":80", "*:80", "localhost:80", "127.1:80", "1.2.3.4.5:80",
                           "256.0.0.1:80", "01.2.3.4:80", " 127.0.0.1:80", "127.0.0.1 :80"}) {
    CAPTURE(text);
    CHECK(contains(message_for(text), "is not an IPv4 address"));
  }
  for (const char* text : {"[]:80", "[127.0.0.1]:80", "[::1::]:80", "[12345::]:80", "[[::1]]:80",
                           "[fe80::1%lo]:80", "[ ::1]:80"}) {
    CAPTURE(text);
    CHECK(contains(message_for(text), "is not an IPv6 address"));
  }
}

TEST_CASE("an IPv6 host without brackets is told to use them") {
  for (const char* text : {"::1:80", "::", "fe80::1:80", "127.0.0.1:80:81"}) {
    CAPTURE(text);
    CHECK(contains(message_for(text), "brackets"));
  }
}

TEST_CASE("a host with a NUL byte in it is refused") {
  CHECK_FALSE(Address::parse("127.0.0.1\0x:80"sv).has_value());
  CHECK_FALSE(Address::parse("[::1\0x]:80"sv).has_value());
}

TEST_CASE("what the kernel filled in reads back as the same address") {
  for (const char* text : {"192.0.2.7:1234", "[2001:db8::7]:1234"}) {
    CAPTURE(text);
    const Address parsed = *Address::parse(text);
    const auto copy = Address::from(parsed.data(), parsed.size());
    REQUIRE(copy.has_value());
    CHECK(*copy == parsed);
    // The kernel may say more than the family needs; the rest is not read.
    CHECK(Address::from(parsed.data(), sizeof(sockaddr_storage)).has_value());
  }
}

TEST_CASE("an address of another family or cut short is refused") {
  const Address v4 = *Address::parse("127.0.0.1:80");
  const Address v6 = *Address::parse("[::1]:80");
  CHECK_FALSE(Address::from(v4.data(), v4.size() - 1).has_value());
  CHECK_FALSE(Address::from(v6.data(), v6.size() - 1).has_value());
  CHECK_FALSE(Address::from(v6.data(), v4.size()).has_value());

  sockaddr_un local{};
  local.sun_family = AF_UNIX;
  CHECK_FALSE(Address::from(reinterpret_cast<const sockaddr*>(&local), sizeof local).has_value());
}

TEST_CASE("addresses are equal when host and port are") {
  CHECK(*Address::parse("127.0.0.1:80") == *Address::parse("127.0.0.1:080"));
  CHECK_FALSE(*Address::parse("127.0.0.1:80") == *Address::parse("127.0.0.1:81"));
  CHECK_FALSE(*Address::parse("0.0.0.0:80") == *Address::parse("[::]:80"));
  CHECK_FALSE(*Address::parse("127.0.0.1:80") == *Address::parse("[::ffff:127.0.0.1]:80"));
}
