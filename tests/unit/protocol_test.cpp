#include "common/protocol.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

namespace clusterd::protocol {
namespace {

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();

struct ChildLine {
  std::string_view line;
  FromChild value;
};

struct MasterLine {
  std::string_view line;
  FromMaster value;
};

struct WrongLine {
  std::string_view line;
  std::string_view why;  ///< is part of what the error says
};

void check_wrong(const Error& error, std::string_view why) {
  CAPTURE(error.what);
  CHECK(error.what.find(why) != std::string::npos);
}

/// What encode() made is one line, and reads back the same at the other side.
template <typename Message>
void check_round_trip(const Message& message) {
  const std::string line = encode(message);
  CAPTURE(line);
  REQUIRE(line.ends_with('\n'));
  CHECK(line.find('\n') == line.size() - 1);
  if constexpr (std::is_constructible_v<FromChild, Message>) {
    const auto back = decode_from_child(line);
    REQUIRE(back.has_value());
    CHECK((*back == FromChild{message}));
  } else {
    const auto back = decode_from_master(line);
    REQUIRE(back.has_value());
    CHECK((*back == FromMaster{message}));
  }
}

}  // namespace

TEST_CASE("each line that a child may say is understood") {
  const std::initializer_list<ChildLine> table = {
      {R"({"cmd":"CLUSTERD","act":"hello","version":1})", Hello{1}},
      {R"( { "version" : 12 , "act" : "hello" , "cmd" : "CLUSTERD" } )", Hello{12}},
      {R"({"cmd":"CLUSTERD","act":"hello","version":-1,"more":{"a":[1,2]}})", Hello{-1}},
      {R"({"cmd":"CLUSTERD","act":"hello","version":1,"heartbeat":true})", Hello{1, true}},
      {R"({"cmd":"CLUSTERD","act":"hello","version":1,"heartbeat":false})", Hello{1, false}},
      {R"({"cmd":"CLUSTERD","act":"hello","version":1,"heartbeat":1})", Hello{1, false}},
      {R"({"cmd":"CLUSTERD","act":"listen","seq":3,"listener":"http"})", Listen{3, "http"}},
      {R"({"cmd":"CLUSTERD","act":"listen","seq":0,"listener":""})", Listen{0, ""}},
      {R"({"cmd":"CLUSTERD","act":"listen","seq":1,"listener":"a\n\u00e9"})", Listen{1, "a\né"}},
      {R"({"cmd":"CLUSTERD","act":"ready"})", Ready{}},
      {R"({"cmd":"CLUSTERD","act":"refuse","sequence":0})", Refuse{0}},
      {R"({"cmd":"CLUSTERD","act":"refuse","sequence":4294967295})", Refuse{4294967295U}},
      {R"({"cmd":"CLUSTERD","act":"suicide","reason":"tired"})", Suicide{"tired"}},
      {R"({"cmd":"CLUSTERD","act":"suicide"})", Suicide{""}},
      {R"({"cmd":"CLUSTERD","act":"suicide","reason":7})", Suicide{""}},
      {R"({"act":"suicide"})", Suicide{""}},
      {R"({"act":"suicide","reason":"as the seed says it"})", Suicide{"as the seed says it"}},
      {R"({"cmd":"CLUSTERD","act":"report","seq":4})", Report{4, false}},
      {R"({"cmd":"CLUSTERD","act":"report","seq":4,"metrics":true})", Report{4, true}},
      {R"({"cmd":"CLUSTERD","act":"log-written"})", LogWritten{}},
      {R"({"cmd":"CLUSTERD","act":"log-written","error":"full"})", LogWritten{"full", false}},
      {R"({"cmd":"CLUSTERD","act":"log-written","period_over":true})", LogWritten{"", true}},
      {R"({"cmd":"CLUSTERD","act":"hello","version":1,"tells_heard":true})", Hello{1, false, true}},
      {R"({"cmd":"CLUSTERD","act":"heard","count":3})", Heard{3}},
      {R"({"cmd":"CLUSTERD","act":"notices"})", Notices{}},
      {R"({"cmd":"CLUSTERD","act":"notices","tells_heard":true})", Notices{true}},
      {R"({"cmd":"CLUSTERD","act":"failed","what":"oh"})", Failed{"oh"}},
      {R"({"cmd":"CLUSTERD","act":"failed"})", Failed{""}},
      {R"({"act":"suicide","action":"a"})", Envelope{"a", {}, "null", 0}},
      {R"({"action":"a","to":"app","data":[1]})",
       Envelope{"a", {Recipient::Kind::app, 0}, "[1]", 0}},
      {R"({"cmd":"other","action":"a"})", Envelope{"a", {}, "null", 0}},
  };
  for (const ChildLine& row : table) {
    CAPTURE(row.line);
    const auto value = decode_from_child(row.line);
    REQUIRE(value.has_value());
    CHECK((*value == row.value));
  }
}

TEST_CASE("each line that the master may say is understood") {
  const std::initializer_list<MasterLine> table = {
      {R"({"cmd":"CLUSTERD","act":"welcome","version":1,"fds":3,"drain_timeout_ms":5000})",
       Welcome{1, 3, 5000}},
      {R"({"cmd":"CLUSTERD","act":"welcome","version":1,"fds":0,"log":true})",
       Welcome{.version = 1, .log = true}},
      {R"({"cmd":"CLUSTERD","act":"write-log","fds":0,"path":"/a","every":"hour","keep":2})",
       WriteLog{0, "/a", {LogRules::Every::hour, 0, 2, false, 0}, false}},
      {R"({"cmd":"CLUSTERD","act":"welcome","version":1,"fds":0})", Welcome{1, 0, 0}},
      {R"({"cmd":"CLUSTERD","act":"listening","ack":3,"index":0,"fds":1,"address":"[::1]:80"})",
       Listening{3, 1, 0, "[::1]:80", ""}},
      {R"({"cmd":"CLUSTERD","act":"listening","ack":3,"index":-1,"error":"no such listener"})",
       Listening{3, 0, -1, "", "no such listener"}},
      {R"({"cmd":"CLUSTERD","act":"revoked"})", Revoked{}},
      {R"({"cmd":"CLUSTERD","act":"event","event":"cluster-ready"})", Happened{"cluster-ready"}},
      {R"({"cmd":"CLUSTERD","act":"undelivered","action":"a","count":3})", Undelivered{"a", 3}},
      {R"({"cmd":"CLUSTERD","act":"undelivered","count":3})", Undelivered{"", 3}},
      {R"({"cmd":"CLUSTERD","act":"undelivered","count":3,"requests":[ 1 , 22,-3]})",
       Undelivered{"", 3, {1, 22, -3}}},
      {R"({"cmd":"CLUSTERD","act":"undelivered","count":3,"requests":[1.5,2]})",
       Undelivered{"", 3}},
      {R"({"cmd":"CLUSTERD","act":"gone","requests":[7,8]})", Gone{{7, 8}}},
      {R"({"cmd":"CLUSTERD","act":"gone","requests":[ ]})", Gone{}},
      {R"({"cmd":"CLUSTERD","act":"gone","requests":[[1]]})", Gone{}},
      {R"({"cmd":"CLUSTERD","act":"gone"})", Gone{}},
      {R"({"cmd":"CLUSTERD","act":"pressure","pid":9,"high":true})", Pressure{9, true}},
      {R"({"cmd":"CLUSTERD","act":"pressure","pid":9})", Pressure{9, false}},
      {R"({"cmd":"CLUSTERD","act":"ping"})", Ping{}},
      {R"({"cmd":"CLUSTERD","act":"serve-http","fds":1})", ServeHttp{1}},
      {R"({"cmd":"CLUSTERD","act":"reported","ack":4,"fds":0})", Reported{4, 0, false, ""}},
      {R"({"cmd":"CLUSTERD","act":"reported","ack":4,"fds":1,"ready":true,"reason":"so"})",
       Reported{4, 1, true, "so"}},
      {R"({"action":"a","senderPid":5})", Envelope{"a", {}, "null", 5}},
  };
  for (const MasterLine& row : table) {
    CAPTURE(row.line);
    const auto value = decode_from_master(row.line);
    REQUIRE(value.has_value());
    CHECK((*value == row.value));
  }
}

TEST_CASE("what either side does not know is ignored, so that the other may be newer") {
  for (const std::string_view line : {
           R"({"cmd":"CLUSTERD","act":"dance"})",
           R"({"cmd":"CLUSTERD","act":""})",
           R"({"cmd":"CLUSTERD","act":"Hello","version":1})",
           R"({"cmd":"NODE_CLUSTER","act":"online"})",
           R"({"cmd":"NODE_CLUSTER","act":"hello"})",
           R"({"cmd":"clusterd","act":"hello"})",
           R"({"cmd":7,"act":"hello"})",
           R"({"act":"hello"})",
           R"({"act":"Suicide"})",
           R"({"cmd":"other","act":"suicide"})",
           R"({"action":7,"data":null})",
           R"({})",
       }) {
    CAPTURE(line);
    const auto from_child = decode_from_child(line);
    REQUIRE(from_child.has_value());
    CHECK((*from_child == FromChild{Unknown{}}));
    const auto from_master = decode_from_master(line);
    REQUIRE(from_master.has_value());
    CHECK((*from_master == FromMaster{Unknown{}}));
  }
}

TEST_CASE("each side ignores what only the other one says") {
  CHECK((*decode_from_child(encode(Welcome{})) == FromChild{Unknown{}}));
  CHECK((*decode_from_child(encode(Listening{})) == FromChild{Unknown{}}));
  CHECK((*decode_from_child(encode(Revoked{})) == FromChild{Unknown{}}));
  CHECK((*decode_from_child(encode(Ping{})) == FromChild{Unknown{}}));
  CHECK((*decode_from_master(encode(Hello{1})) == FromMaster{Unknown{}}));
  CHECK((*decode_from_master(encode(Listen{1, "http"})) == FromMaster{Unknown{}}));
  CHECK((*decode_from_master(encode(Ready{})) == FromMaster{Unknown{}}));
  CHECK((*decode_from_master(encode(Refuse{1})) == FromMaster{Unknown{}}));
  CHECK((*decode_from_master(encode(Suicide{"tired"})) == FromMaster{Unknown{}}));
  CHECK((*decode_from_master(R"({"act":"suicide"})") == FromMaster{Unknown{}}));
}

TEST_CASE("a line that is no JSON is an error, and says where") {
  const std::initializer_list<WrongLine> table = {
      {"", "at byte 0"},
      {"hello", "at byte 0"},
      {R"({"cmd":"CLUSTERD","act":"ready")", "at byte 31"},
      {R"({"cmd":"CLUSTERD","act":"ready"}})", "at byte 32"},
      {R"({"cmd":"CLUSTERD","act":"ready"} {})", "at byte 33"},
      {R"({"cmd":'CLUSTERD'})", "at byte 7"},
      {"{\"cmd\":\"\xff\"}", "at byte 8"},
  };
  for (const WrongLine& row : table) {
    CAPTURE(row.line);
    const auto from_child = decode_from_child(row.line);
    REQUIRE_FALSE(from_child.has_value());
    check_wrong(from_child.error(), row.why);
    const auto from_master = decode_from_master(row.line);
    REQUIRE_FALSE(from_master.has_value());
    check_wrong(from_master.error(), row.why);
  }
}

TEST_CASE("a line that is JSON but no object is a message of the program's own, and ignored") {
  for (const std::string_view line : {"[]", "7", "\"CLUSTERD\"", "null", "true"}) {
    CAPTURE(line);
    const auto from_child = decode_from_child(line);
    REQUIRE(from_child.has_value());
    CHECK(std::holds_alternative<Unknown>(*from_child));
    const auto from_master = decode_from_master(line);
    REQUIRE(from_master.has_value());
    CHECK(std::holds_alternative<Unknown>(*from_master));
  }
}

TEST_CASE("a child's line that lacks what its act needs is an error") {
  const std::initializer_list<WrongLine> table = {
      {R"({"cmd":"CLUSTERD"})", R"(without "act")"},
      {R"({"cmd":"CLUSTERD","act":1})", R"(without "act")"},
      {R"({"cmd":"CLUSTERD","act":"hello"})", R"("version")"},
      {R"({"cmd":"CLUSTERD","act":"hello","version":"1"})", R"("version")"},
      {R"({"cmd":"CLUSTERD","act":"hello","version":1.5})", R"("version")"},
      {R"({"cmd":"CLUSTERD","act":"hello","version":9223372036854775808})", R"("version")"},
      {R"({"cmd":"CLUSTERD","act":"listen","listener":"http"})", R"("seq")"},
      {R"({"cmd":"CLUSTERD","act":"listen","seq":1})", R"("listener")"},
      {R"({"cmd":"CLUSTERD","act":"listen","seq":1,"listener":80})", R"("listener")"},
      {R"({"cmd":"CLUSTERD","act":"heard","count":-1})", R"("count")"},
      {R"({"cmd":"CLUSTERD","act":"refuse"})", R"("sequence")"},
      {R"({"cmd":"CLUSTERD","act":"refuse","sequence":-1})", R"("sequence")"},
      {R"({"cmd":"CLUSTERD","act":"refuse","sequence":4294967296})", R"("sequence")"},
  };
  for (const WrongLine& row : table) {
    CAPTURE(row.line);
    const auto value = decode_from_child(row.line);
    REQUIRE_FALSE(value.has_value());
    check_wrong(value.error(), row.why);
  }
}

TEST_CASE("a master's line that lacks what its act needs is an error") {
  const std::initializer_list<WrongLine> table = {
      {R"({"cmd":"CLUSTERD"})", R"(without "act")"},
      {R"({"cmd":"CLUSTERD","act":"welcome","fds":3})", R"("version")"},
      {R"({"cmd":"CLUSTERD","act":"welcome","version":1})", R"("fds")"},
      {R"({"cmd":"CLUSTERD","act":"welcome","version":1,"fds":null})", R"("fds")"},
      {R"({"cmd":"CLUSTERD","act":"listening","index":0})", R"("ack")"},
      {R"({"cmd":"CLUSTERD","act":"listening","ack":1})", R"("index")"},
      {R"({"cmd":"CLUSTERD","act":"listening","ack":1,"index":"0"})", R"("index")"},
      {R"({"cmd":"CLUSTERD","act":"event"})", R"("event")"},
      {R"({"cmd":"CLUSTERD","act":"write-log","fds":1,"every":"day"})", R"("path")"},
      {R"({"cmd":"CLUSTERD","act":"write-log","fds":1,"path":"/a","every":"year"})", R"("path")"},
      {R"({"cmd":"CLUSTERD","act":"undelivered","action":"a"})", R"("count")"},
      {R"({"cmd":"CLUSTERD","act":"pressure","high":true})", R"("pid")"},
  };
  for (const WrongLine& row : table) {
    CAPTURE(row.line);
    const auto value = decode_from_master(row.line);
    REQUIRE_FALSE(value.has_value());
    check_wrong(value.error(), row.why);
  }
}

TEST_CASE("whatever is encoded is one line and reads back the same") {
  for (const std::int64_t number : {std::int64_t{0}, std::int64_t{1}, kMost, kLeast}) {
    check_round_trip(Hello{number});
    check_round_trip(Hello{number, true});
    check_round_trip(Welcome{number, 3, number});
    check_round_trip(Listening{number, number, number, "", ""});
    check_round_trip(Undelivered{"a", number});
    check_round_trip(Report{number, number > 0});
    check_round_trip(ServeHttp{number});
    check_round_trip(Reported{number, number, number > 0, "a\nb"});
  }
  for (const std::string_view text :
       {"", "http", "0.0.0.0:8080", "unix:/run/a \"b\"\\c.sock", "a\nb\r\tc", "né \U0001F600"}) {
    check_round_trip(Listen{7, std::string(text)});
    check_round_trip(Suicide{std::string(text)});
    check_round_trip(Listening{7, 1, 0, std::string(text), std::string(text)});
  }
  check_round_trip(Ready{});
  check_round_trip(Revoked{});
  check_round_trip(LogWritten{"no space", true});
  check_round_trip(Welcome{.version = 1, .log = true});
  check_round_trip(WriteLog{1, "/var/log/a b", {LogRules::Every::size, 1024, 7, true, 4096}, true});
  check_round_trip(WriteLog{0, "/a", {LogRules::Every::day, 0, 31, false, 0}, false});
  check_round_trip(Ping{});
  for (const std::uint32_t sequence : {0U, 1U, 4294967295U}) check_round_trip(Refuse{sequence});
}

TEST_CASE("text that is no UTF-8 is sent as UTF-8 all the same") {
  const auto back = decode_from_child(encode(Listen{1,
                                                    "a\xff"
                                                    "b"}));
  REQUIRE(back.has_value());
  CHECK((*back == FromChild{Listen{1, "a\uFFFDb"}}));
}

TEST_CASE("a reason is cut between two characters, by whoever sends and by whoever reads it") {
  const auto reads = [](const std::string& reason) {
    const std::string line = R"({"act":"suicide","reason":")" + reason + "\"}";
    const auto read = decode_from_child(line);
    REQUIRE(read.has_value());
    const auto said = decode_from_child(encode(Suicide{reason}));
    REQUIRE(said.has_value());
    CHECK((*said == *read));
    return std::get<Suicide>(*read).reason;
  };
  CHECK(reads(std::string(kLongestReason, 'a')) == std::string(kLongestReason, 'a'));
  CHECK(reads(std::string(kLongestReason + 1, 'a')) == std::string(kLongestReason, 'a'));
  const std::string almost(kLongestReason - 2, 'a');
  CHECK(reads(almost + "é") == almost + "é");
  CHECK(reads(almost + "aé") == almost + "a");
  CHECK(reads(almost + "\U0001F600") == almost);
  // In place of a wrong byte comes a character of three bytes.
  const auto wrong = decode_from_child(encode(Suicide{std::string(kLongestReason, '\xff')}));
  REQUIRE(wrong.has_value());
  CHECK(std::get<Suicide>(*wrong).reason.size() == kLongestReason - 1);
}

TEST_CASE("the lines are what the documents say") {
  CHECK(encode(Hello{1}) == "{\"cmd\":\"CLUSTERD\",\"act\":\"hello\",\"version\":1}\n");
  CHECK(encode(Hello{1, true}) ==
        "{\"cmd\":\"CLUSTERD\",\"act\":\"hello\",\"version\":1,\"heartbeat\":true}\n");
  CHECK(encode(Suicide{"tired"}) ==
        "{\"cmd\":\"CLUSTERD\",\"act\":\"suicide\",\"reason\":\"tired\"}\n");
  CHECK(encode(Ping{}) == "{\"cmd\":\"CLUSTERD\",\"act\":\"ping\"}\n");
  CHECK(encode(Ready{}) == "{\"cmd\":\"CLUSTERD\",\"act\":\"ready\"}\n");
  CHECK(encode(Refuse{9}) == "{\"cmd\":\"CLUSTERD\",\"act\":\"refuse\",\"sequence\":9}\n");
}

TEST_CASE("lines about runs of schedules round-trip, and say what they lack") {
  check_round_trip(Handles{"refresh"});
  check_round_trip(Ran{"m-1", ""});
  check_round_trip(Ran{"m-1", "no database"});
  check_round_trip(RunNow{"m-1", "refresh", "null"});
  check_round_trip(RunNow{"m-1", "refresh", R"({"a":[1,2]})"});
  CHECK(encode(Ran{"m-1", ""}) == "{\"cmd\":\"CLUSTERD\",\"act\":\"ran\",\"run\":\"m-1\"}\n");
  const auto ran = decode_from_child(encode(Ran{"m-1", std::string(2000, 'x')}));
  REQUIRE(ran.has_value());
  CHECK(std::get<Ran>(*ran).error == std::string(kLongestReason, 'x'));
  const std::string start = R"({"cmd":"CLUSTERD","act":)";
  check_wrong(decode_from_child(start + R"("handles"})").error(), "\"schedule\"");
  check_wrong(decode_from_child(start + R"("ran","run":7})").error(), "\"run\"");
  check_wrong(decode_from_master(start + R"("run","run":"m-1"})").error(), "\"schedule\"");
  check_wrong(decode_from_master(start + R"("run","schedule":"a"})").error(), "\"run\"");
}

}  // namespace clusterd::protocol
