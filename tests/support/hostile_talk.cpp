#include "common/protocol.h"
#include "tests/support/hostile_hands.h"

#include <poll.h>
#include <random>
#include <sys/socket.h>

namespace clusterd::test {
namespace {

constexpr int kFlood = 100'000;

std::string times(const std::string& text, int count) {
  std::string all;
  for (int i = 0; i < count; ++i) all += text;
  return all;
}

void garbage(HostileHands& hands) { send_all(hands, std::string(64, '\x7f') + "{]\n"); }

void random_bytes(HostileHands& hands) {
  std::minstd_rand random(1);
  std::string bytes(1024 * 1024, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  send_all(hands, bytes);
}

void endless_line(HostileHands& hands) { send_all(hands, std::string(1024 * 1024, ' ')); }

/// Good JSON, one byte longer than a line may be.
void line_too_long(HostileHands& hands) {
  const std::string around = "{\"action\":\"\"}";
  const std::string text(protocol::kLongestLine + 1 - around.size(), 'a');
  send_all(hands, "{\"action\":\"" + text + "\"}\n");
}

void empty_lines(HostileHands& hands) { send_all(hands, std::string(1000, '\n')); }

void half_a_command(HostileHands& hands) {
  send_all(hands, "{\"cmd\":\"CLUSTERD\",\"act\":\"listen\"}\n");
}

/// A line that grows by a byte now and then, and never ends.
[[noreturn]] void drip(HostileHands& hands) {
  for (;;) {
    send_all(hands, " ");
    ::poll(nullptr, 0, 10);
  }
}

/// Asks for ever and never reads an answer.
void flood(HostileHands& hands) {
  const std::string many = times(encode(protocol::Listen{1, "nobody"}), 100);
  for (int i = 0; i < kFlood / 100; ++i) send_all(hands, many);
}

/// As flood; in accept race a socket comes with each answer.
void flood_for_sockets(HostileHands& hands) {
  const std::string many = times(encode(protocol::Listen{1, ""}), 100);
  for (int i = 0; i < kFlood / 100; ++i) send_all(hands, many);
}

void flood_of_hellos(HostileHands& hands) {
  send_all(hands, times(encode(protocol::Hello{protocol::kVersion, true}), 10'000));
}

/// Messages of 1 kB for everybody, itself too, of which it reads none.
[[noreturn]] void flood_of_messages(HostileHands& hands) {
  const std::string many =
      times("{\"action\":\"x\",\"to\":\"app\",\"data\":\"" + std::string(1000, 'x') + "\"}\n", 100);
  for (;;) send_all(hands, many);
}

/// Well-formed, and none of it true. Nothing that a worker of good will could not say by mistake,
/// so it may live.
void lie(HostileHands& hands) {
  std::string all;
  for (const char* listener : {"nobody", "0.0.0.0:22", "/etc/passwd", "127.0.0.1:0"}) {
    all += encode(protocol::Listen{-1, listener});
  }
  for (const std::uint32_t sequence : {0U, 7U, 0x7FFF'FFFFU, 0x8000'0000U, 0xFFFF'FFFFU}) {
    all += encode(protocol::Refuse{sequence});
  }
  all += encode(protocol::Ready{}) + encode(protocol::Ready{});
  all += "{\"cmd\":\"CLUSTERD\",\"act\":\"welcome\",\"version\":1,\"fds\":3}\n";
  all += "{\"cmd\":\"CLUSTERD\",\"act\":\"event\",\"event\":\"cluster-ready\"}\n";
  all += "{\"cmd\":\"CLUSTERD\",\"act\":\"ping\"}\n";
  for (const char* receiver : {"\"receiverPid\":1", "\"receiverPid\":-1", "\"receiverSlot\":4096",
                               "\"to\":\"nobody\"", "\"senderPid\":1,\"to\":\"app\""}) {
    all += "{\"action\":\"x\"," + std::string(receiver) + "}\n";
  }
  send_all(hands, times(all, 100));
}

void close_channel(HostileHands& hands) { ::shutdown(hands.channel.fd(), SHUT_RDWR); }

void half_close(HostileHands& hands) { ::shutdown(hands.channel.fd(), SHUT_WR); }

void end_in_mid_line(HostileHands& hands) {
  send_all(hands, "{\"cmd\":\"CLUSTERD\",\"act\":\"sui");
  half_close(hands);
}

}  // namespace

const HostileModes& hostile_talk() {
  static const HostileModes all{
      {"garbage", garbage},
      {"random-bytes", random_bytes},
      {"endless-line", endless_line},
      {"line-too-long", line_too_long},
      {"empty-lines", empty_lines},
      {"half-a-command", half_a_command},
      {"drip", drip},
      {"flood", flood},
      {"flood-for-sockets", flood_for_sockets},
      {"flood-of-hellos", flood_of_hellos},
      {"flood-of-messages", flood_of_messages},
      {"lie", lie},
      {"close-channel", close_channel},
      {"half-close", half_close},
      {"end-in-mid-line", end_in_mid_line},
  };
  return all;
}

}  // namespace clusterd::test
