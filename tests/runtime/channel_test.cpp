#include "master/runtime/channel.h"

#include "common/fd_passing.h"
#include "tests/support/eventually.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <memory>
#include <string>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace clusterd::runtime {
namespace {

using namespace std::chrono_literals;
using test::eventually;

using Lines = std::vector<std::string>;

constexpr std::size_t kLongest = 100;

/// A channel and its peer, with what the channel told.
struct Talk {
  Talk() {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    peer.reset(ends[0]);
    channel = Channel::open(io, UniqueFd(ends[1]), kLongest,
                            {.line =
                                 [this](std::string_view line) {
                                   lines.emplace_back(line);
                                   if (on_line) on_line();
                                 },
                             .ended =
                                 [this] {
                                   ++ended;
                                   if (on_end) on_end();
                                 },
                             .broken =
                                 [this](std::string how) {
                                   broken.push_back(std::move(how));
                                   if (on_end) on_end();
                                 }});
  }

  /// Runs the loop until nothing is left to do.
  void settle() {
    do io.restart();
    while (io.poll() > 0);
  }

  void say(std::string_view text) {
    REQUIRE(::send(peer.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(text.size()));
  }

  /// What the peer can read now, `most` bytes at a time.
  std::string hear(std::size_t most = 65536) {
    std::string text;
    std::string some(most, '\0');
    for (;;) {
      const ssize_t got = ::recv(peer.get(), some.data(), some.size(), MSG_DONTWAIT);
      if (got <= 0) return text;
      text.append(some, 0, static_cast<std::size_t>(got));
    }
  }

  /// The channel has nothing more for its peer, ever.
  [[nodiscard]] bool peer_sees_the_end() const {
    char byte = 0;
    const ssize_t got = ::recv(peer.get(), &byte, 1, MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno == ECONNRESET);  // reset, if something was left unread
  }

  boost::asio::io_context io;
  UniqueFd peer;
  Lines lines;
  int ended = 0;
  Lines broken;
  std::function<void()> on_line;
  std::function<void()> on_end;
  std::shared_ptr<Channel> channel;
};

ino_t inode_of(int fd) {
  struct stat status{};
  REQUIRE(::fstat(fd, &status) == 0);
  return status.st_ino;
}

/// A descriptor that can be told from all others.
UniqueFd make_marker() {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(fd.get() >= 0);
  return fd;
}

}  // namespace

TEST_CASE("lines arrive whole wherever the stream is split") {
  constexpr std::string_view kText = "{\"a\":1}\n\nsecond\r\nthird line\n";
  const Lines expected{"{\"a\":1}", "", "second", "third line"};
  for (std::size_t at = 0; at <= kText.size(); ++at) {
    CAPTURE(at);
    Talk talk;
    if (at > 0) talk.say(kText.substr(0, at));
    talk.settle();
    if (at < kText.size()) talk.say(kText.substr(at));
    talk.settle();
    CHECK(talk.lines == expected);
    CHECK(talk.ended == 0);
    CHECK(talk.broken.empty());
  }
}

TEST_CASE("many lines of one write all arrive, more than are read at once") {
  Talk talk;
  std::string text;
  for (int number = 0; number < 10'000; ++number) text += std::to_string(number) + "\n";
  std::size_t said = 0;
  REQUIRE(eventually(
      [&] {
        const ssize_t sent =
            ::send(talk.peer.get(), text.data() + said, text.size() - said, MSG_DONTWAIT);
        if (sent > 0) said += static_cast<std::size_t>(sent);
        talk.settle();
        return talk.lines.size() == 10'000;
      },
      10s));
  CHECK(talk.lines.front() == "0");
  CHECK(talk.lines.back() == "9999");
}

TEST_CASE("the peer's end is told once, after all that it said") {
  Talk talk;
  talk.say("last words\nhalf a li");
  talk.peer.reset();
  talk.settle();
  talk.settle();
  CHECK(talk.lines == Lines{"last words"});
  CHECK(talk.ended == 1);
  CHECK(talk.broken.empty());
}

TEST_CASE("what a peer said last is there before the loop turns, if it is asked for") {
  Talk talk;
  talk.say("one\ntwo\nthr");
  talk.peer.reset();
  talk.channel->read_rest();
  CHECK(talk.lines == Lines{"one", "two"});
  CHECK(talk.ended == 0);
  talk.settle();
  CHECK(talk.lines == Lines{"one", "two"});
  CHECK(talk.ended == 1);
}

TEST_CASE("a line that never ends breaks the channel, and no sooner than it is too long") {
  Talk talk;
  talk.say("good\n" + std::string(kLongest, 'x'));
  talk.settle();
  CHECK(talk.broken.empty());
  talk.say("x");
  talk.settle();
  CHECK(talk.lines == Lines{"good"});
  CHECK(talk.broken.size() == 1);
  CHECK(talk.ended == 0);
  CHECK(talk.peer_sees_the_end());
}

TEST_CASE("descriptors that a peer sends along are closed unseen") {
  Talk talk;
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
  const UniqueFd in(ends[0]);
  UniqueFd out(ends[1]);
  const std::array<int, 1> fds{out.get()};
  REQUIRE(send_with_fds(talk.peer.get(), "line\n", fds).has_value());
  out.reset();
  talk.settle();
  CHECK(talk.lines == Lines{"line"});
  char byte = 0;
  CHECK(::read(in.get(), &byte, 1) == 0);  // nobody has the other end any more
}

TEST_CASE("lines are sent in order, and wait for a peer that is slow") {
  Talk talk;
  std::string expected;
  std::string heard;
  for (int number = 0; number < 50'000; ++number) {  // more than the socket holds
    const std::string line = "line number " + std::to_string(number) + "\n";
    expected += line;
    talk.channel->send(line);
  }
  REQUIRE(talk.broken.empty());
  REQUIRE(heard.size() < expected.size());
  REQUIRE(eventually(
      [&] {
        heard += talk.hear();
        talk.settle();
        return heard.size() >= expected.size();
      },
      10s));
  CHECK((heard == expected));
}

TEST_CASE("descriptors arrive with the first byte of their line") {
  Talk talk;
  const std::string filler(300'000, '.');  // has to wait for room
  const std::array<UniqueFd, 3> markers{make_marker(), make_marker(), make_marker()};
  const auto copy = [&](std::size_t which) { return UniqueFd(::dup(markers[which].get())); };
  std::vector<UniqueFd> two;
  two.push_back(copy(1));
  two.push_back(copy(2));
  std::vector<UniqueFd> one;
  one.push_back(copy(0));
  talk.channel->send("plain\n");
  talk.channel->send("one\n", std::move(one));
  talk.channel->send(filler + "\n");
  talk.channel->send("two\n", std::move(two));
  talk.channel->send("plain\n");

  std::string text;
  std::vector<std::pair<std::size_t, ino_t>> arrived;
  const std::size_t whole = filler.size() + 21;
  std::array<std::byte, 8192> buffer{};
  REQUIRE(eventually(
      [&] {
        for (;;) {
          const bool in_filler = text.size() > 12 && text.size() < filler.size();
          const std::size_t most =
              in_filler ? std::min<std::size_t>(8192, filler.size() - text.size()) : 1;
          auto got = receive_with_fds(talk.peer.get(), std::span(buffer).first(most), 8);
          if (!got.has_value()) break;
          for (const UniqueFd& fd : got->fds) arrived.emplace_back(text.size(), inode_of(fd.get()));
          text.append(reinterpret_cast<const char*>(buffer.data()), got->bytes);
        }
        talk.settle();
        return text.size() >= whole;
      },
      10s));
  CHECK((text == "plain\none\n" + filler + "\ntwo\nplain\n"));
  const std::size_t at_two = 10 + filler.size() + 1;
  using Arrived = decltype(arrived);
  CHECK((arrived == Arrived{{6, inode_of(markers[0].get())},
                            {at_two, inode_of(markers[1].get())},
                            {at_two, inode_of(markers[2].get())}}));
}

TEST_CASE("a peer that does not read breaks the channel at a bound, once") {
  Talk talk;
  const std::string line(10'000, 'x');
  int sent = 0;
  for (; sent < 1000 && talk.broken.empty(); ++sent) talk.channel->send(line + "\n");
  CHECK(sent < 300);
  talk.channel->send("one more\n");
  talk.settle();
  CHECK(talk.broken.size() == 1);
  CHECK(talk.ended == 0);
}

TEST_CASE("a peer that does not read has few descriptors wait for it (fault 19)") {
  Talk talk;
  int sent = 0;
  for (; sent < 3000 && talk.broken.empty(); ++sent) {
    std::vector<UniqueFd> fds;
    fds.push_back(make_marker());
    talk.channel->send("one\n", std::move(fds));
  }
  // Those that the kernel took have left the master's table.
  CHECK(sent < 2000);
  CHECK(talk.broken.size() == 1);
}

TEST_CASE("a peer that is gone swallows what is sent, and its end is told") {
  Talk talk;
  talk.peer.reset();
  for (int count = 0; count < 1000; ++count) talk.channel->send(std::string(10'000, 'x') + "\n");
  talk.settle();
  CHECK(talk.broken.empty());
  CHECK(talk.ended == 1);
}

TEST_CASE("end closes our direction once everything is sent, and the peer may still speak") {
  Talk talk;
  std::string heard;
  SUBCASE("nothing waits") {
    talk.channel->send("goodbye\n");
    talk.channel->end();
    talk.settle();
    heard = talk.hear();
  }
  SUBCASE("a lot waits") {
    const std::string line(1000, 'x');
    for (int count = 0; count < 500; ++count) talk.channel->send(line + "\n");
    talk.channel->send("goodbye\n");
    talk.channel->end();
    REQUIRE(eventually(
        [&] {
          heard += talk.hear();
          talk.settle();
          return heard.ends_with("goodbye\n");
        },
        10s));
  }
  CHECK(heard.ends_with("goodbye\n"));
  CHECK(talk.peer_sees_the_end());
  talk.say("and you\n");
  talk.settle();
  CHECK(talk.lines == Lines{"and you"});
}

TEST_CASE("after close nothing is told, not even what was on its way") {
  Talk talk;
  SUBCASE("by the test, before the loop runs") {
    talk.say("too late\n");
    talk.channel->close();
    talk.settle();
    CHECK(talk.lines.empty());
  }
  SUBCASE("from the first line of several") {
    talk.on_line = [&talk] { talk.channel->close(); };
    talk.say("first\nsecond\nthird\n");
    talk.settle();
    CHECK(talk.lines == Lines{"first"});
  }
  SUBCASE("from a line, with too much behind it") {
    talk.on_line = [&talk] { talk.channel->close(); };
    talk.say("first\n" + std::string(10 * kLongest, 'x'));
    talk.settle();
    CHECK(talk.lines == Lines{"first"});
  }
  CHECK(talk.ended == 0);
  CHECK(talk.broken.empty());
  CHECK(talk.peer_sees_the_end());
  talk.channel->send("into the void\n");
  talk.channel->end();
  talk.channel->close();
}

TEST_CASE("a callback may close the channel and let go of it") {
  Talk talk;
  const auto let_go = [&talk] {
    talk.channel->close();
    talk.channel.reset();
  };
  SUBCASE("at a line") {
    talk.on_line = let_go;
    talk.say("first\nsecond\n");
    talk.settle();
    CHECK(talk.lines == Lines{"first"});
  }
  SUBCASE("at the end") {
    talk.on_end = let_go;
    talk.peer.reset();
    talk.settle();
    CHECK(talk.ended == 1);
  }
  SUBCASE("when it breaks by what came") {
    talk.on_end = let_go;
    talk.say(std::string(2 * kLongest, 'x'));
    talk.settle();
    CHECK(talk.broken.size() == 1);
  }
  SUBCASE("when it breaks by what was sent at a line") {
    talk.on_end = let_go;
    talk.on_line = [&talk] {
      const auto channel = talk.channel;
      for (int count = 0; count < 300; ++count) channel->send(std::string(10'000, 'x') + "\n");
    };
    talk.say("give me everything\nand more\n");
    talk.settle();
    CHECK(talk.lines.size() == 1);
    CHECK(talk.broken.size() == 1);
  }
  CHECK_FALSE(talk.channel);
}

TEST_CASE("a channel that nobody closed goes with its loop") {
  Talk talk;
  const std::weak_ptr<Channel> watched = talk.channel;
  talk.channel.reset();
  talk.say("still here\n");
  talk.settle();
  CHECK(talk.lines == Lines{"still here"});
  CHECK_FALSE(watched.expired());
}

}  // namespace clusterd::runtime
