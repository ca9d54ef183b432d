#include "tests/support/config_texts.h"

#include <doctest/doctest.h>

using namespace clusterd;
using namespace clusterd::config;
using namespace clusterd::test;

namespace {

std::string bad_address(const std::string& text) {
  return bad(in_worker("[http]\naddress = " + text));
}

Listen place(const std::string& text) {
  const Settings settings = good(in_worker("[http]\naddress = '" + text + "'"));
  REQUIRE(settings.http.at);
  return *settings.http.at;
}

}  // namespace

TEST_CASE("without an address nothing is served") {
  CHECK_FALSE(good(kGood).http.at);
  CHECK_FALSE(good(in_worker("[http]")).http.at);
}

TEST_CASE("http.address is an address in numbers, or a path") {
  CHECK(place("127.0.0.1:9180").address.text() == "127.0.0.1:9180");
  CHECK(place("[::]:0").address.text() == "[::]:0");
  CHECK(place("unix:run/http.sock").kind == Listen::Kind::unix_socket);
  CHECK(place("unix:run/http.sock").path == "/etc/shop/run/http.sock");
  const std::string wanted = "'127.0.0.1:9180', '[::1]:9180' or 'unix:/path'";
  CHECK(bad_address("9180") == "6: http.address: expected " + wanted + ", got integer 9180");
  CHECK(bad_address("'" + std::string(100, '1') + "'") == "6: http.address: expected " + wanted);
  CHECK(contains(bad_address("'localhost:9180'"), "'localhost' is not an IPv4 address"));
  CHECK(contains(bad_address("'udp://127.0.0.1:9180'"), "6: http.address: "));
  for (const char* path : {"'unix:'", "'unix:@x'", "'unix:/x/'", "\"unix:/x\\n\""}) {
    CHECK(contains(bad_address(path), "6: http.address: expected 'unix:/path', got '"));
  }
  CHECK(contains(bad_address("'unix:/" + std::string(107, 'a') + "'"), "108 bytes"));
  CHECK(bad(in_worker("[http]\nadress = '127.0.0.1:1'")) ==
        "6: unknown key 'adress' in [http]; did you mean 'address'?");
}

TEST_CASE("http.address is no listener's") {
  CHECK(bad_address("'127.0.0.1:80'") ==
        "6: http.address: '127.0.0.1:80' is a [[listen]] address; the agent needs one of its own");
  CHECK(place("127.0.0.2:80").address.text() == "127.0.0.2:80");
}
