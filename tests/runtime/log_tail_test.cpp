// The last lines of the log, for who asks for them.
#include "master/runtime/log_tail.h"

#include "tests/support/eventually.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace clusterd::runtime {
namespace {

using namespace std::chrono_literals;
using Lines = std::vector<std::string>;

LogOrigin worker(std::uint32_t slot) { return {LogOrigin::Kind::worker, slot, 100 + slot}; }

std::string text_of(const std::string& line) {
  const auto json = check_json(line);
  REQUIRE(json.has_value());
  if (const auto dropped = json->integer("dropped")) return "-" + std::to_string(*dropped);
  return json->string("text").value_or("?");
}

/// A client, which reads or does not.
struct Client {
  void ask(LogTail& tail, const std::string& request) const {
    tail.answer(*check_json(request), Reply(send, [this] { return reads; }));
  }

  bool reads = true;
  Lines lines;
  std::string last;
  std::shared_ptr<const Reply::Send> send =
      std::make_shared<Reply::Send>([this](std::string line, bool end) {
        if (!end) return lines.push_back(text_of(line));
        last = std::move(line);
        send.reset();
      });
};

struct Stage {
  void print(std::uint32_t slot, const std::string& lines) {
    tail.printed(worker(slot), log::Stream::out, lines);
  }
  template <typename Fact>
  [[nodiscard]] bool soon(Fact fact) {
    return test::eventually([&] { return io.poll(), io.restart(), fact(); }, 10s);
  }

  boost::asio::io_context io;
  LogTail tail{io};
};

std::string many(int count, std::size_t length) {
  std::string lines;
  for (int i = 0; i < count; ++i) lines += std::string(length - 1, 'x') + "\n";
  return lines;
}

}  // namespace

TEST_CASE("the ring keeps the last lines and knows what has gone") {
  std::uint64_t gone = 0;
  LogRing ring(2000, [&](auto first, std::uint64_t count, const LogOrigin&) {
    CHECK(first == gone);
    gone += count;
  });
  for (int i = 0; i < 100; ++i) ring.add({}, worker(0), {"stdout", true}, "a\nb\n");
  CHECK(ring.end() == 200);
  CHECK(gone > 150);
  CHECK(ring.last(0, {}) == 200);
  CHECK(ring.last(3, {}) == 197);
  CHECK(ring.last(1000, {}) == gone);
  CHECK(ring.last(3, {LogOrigin::Kind::master, {}}) == 200);
  Lines lines;
  const auto two = [&](const std::string& json) {
    lines.push_back(text_of(json));
    return lines.size() < 2;
  };
  CHECK(ring.read(197, {}, two) == 199);
  CHECK(lines == Lines{"b", "a"});
  CHECK(ring.read(0, {}, two) == gone + 1);
  CHECK(ring.read(200, {}, two) == 200);
  ring.add({}, worker(1), {"stdout", true}, many(100, 100));  // more than there is room for
  CHECK(ring.last(1000, {}) == 200);
  CHECK(ring.end() == 300);
}

TEST_CASE("the few lines of one are not lost in the many of another") {
  LogRing ring(2000);
  ring.add({}, worker(1), {"stdout", true}, "quiet\n");
  for (int i = 0; i < 1000; ++i) ring.add({}, worker(0), {"stdout", true}, "noise\n");
  Lines lines;
  const auto all = [&](const std::string& json) { return lines.push_back(text_of(json)), true; };
  CHECK(ring.read(0, {LogOrigin::Kind::worker, 1}, all) == 1001);
  CHECK(lines == Lines{"quiet"});
  CHECK(ring.last(1000, {LogOrigin::Kind::worker, 0}) > 900);
}

TEST_CASE("who asks gets the last lines of whom he wants and an end") {
  Stage stage;
  stage.print(0, "one\ntwo\n");
  stage.print(1, "three\n");
  stage.tail.printed({LogOrigin::Kind::agent, 0, 9}, log::Stream::error, "agent\n");
  const auto answer = [&](const std::string& more) {
    Client client;
    client.ask(stage.tail, R"({"verb":"logs",)" + more + "}");
    CHECK(client.last == R"({"ok":true})");
    return client.lines;
  };
  CHECK(answer(R"("lines":50)") == Lines{"one", "two", "three", "agent"});
  CHECK(answer(R"("lines":2)") == Lines{"three", "agent"});
  CHECK(answer(R"("lines":0)").empty());
  CHECK(answer(R"("lines":1,"slot":0)") == Lines{"two"});
  CHECK(answer(R"("lines":9,"slot":7)").empty());
  CHECK(answer(R"("lines":9,"from":"agent")") == Lines{"agent"});
  CHECK(answer(R"("lines":9,"from":"worker")") == Lines{"one", "two", "three"});
  Client wrong;
  wrong.ask(stage.tail, R"({"verb":"logs","from":"nobody"})");
  CHECK(wrong.last.find("\"ok\":false") != std::string::npos);
}

TEST_CASE("who follows gets what comes until he leaves") {
  Stage stage;
  stage.print(0, "before\n");
  Client client;
  client.ask(stage.tail, R"({"verb":"logs","lines":1,"follow":true,"slot":0})");
  CHECK(client.lines == Lines{"before"});
  stage.print(1, "another\n");
  stage.print(0, "one\ntwo\n");
  CHECK(stage.soon([&] { return client.lines == Lines{"before", "one", "two"}; }));
  CHECK(client.last.empty());
  client.send.reset();
  stage.print(0, "nobody hears\n");
  stage.io.poll();
  CHECK(client.lines.size() == 3);
}

TEST_CASE("who follows is told the end and has all lines before it") {
  Stage stage;
  Client client;
  client.ask(stage.tail, R"({"verb":"logs","lines":0,"follow":true})");
  stage.print(0, "the last\n");
  stage.tail.end();
  CHECK(client.lines == Lines{"the last"});
  CHECK(client.last == R"({"ok":true})");
}

TEST_CASE("who does not read loses lines and is told how many") {
  Stage stage;
  Client client;
  client.ask(stage.tail, R"({"verb":"logs","lines":0,"follow":true,"slot":0})");
  client.reads = false;
  for (int i = 0; i < 20; ++i) {
    stage.print(0, many(500, 100));
    stage.print(1, many(500, 100));
    stage.io.poll();
  }
  CHECK(client.lines.empty());
  stage.print(0, "the last\n");
  client.reads = true;
  CHECK(stage.soon([&] { return !client.lines.empty() && client.lines.back() == "the last"; }));
  REQUIRE(client.lines.front().starts_with('-'));
  const auto lost = std::stoul(client.lines.front().substr(1));
  CHECK(lost + client.lines.size() - 1 == 10'001);  // the other slot's are none of his
  CHECK(lost > 8'000);
}

TEST_CASE("many short lines come in pieces and all of them") {
  Stage stage;
  Client client;
  stage.print(0, many(30'000, 2));
  client.ask(stage.tail, R"({"verb":"logs","lines":100000})");
  CHECK(client.lines.size() < 30'000);
  CHECK(stage.soon([&] { return !client.last.empty(); }));
  CHECK(client.lines.size() == 30'000);
}

TEST_CASE("few may follow and one that has left makes room") {
  Stage stage;
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 7; ++i) {
    clients.push_back(std::make_unique<Client>());
    clients.back()->ask(stage.tail, R"({"verb":"logs","follow":true})");
  }
  CHECK(clients.back()->last.find("6 clients read the log already") != std::string::npos);
  clients.front()->send.reset();
  Client next;
  next.ask(stage.tail, R"({"verb":"logs","follow":true})");
  CHECK(next.last.empty());
}

}  // namespace clusterd::runtime
