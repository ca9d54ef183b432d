#include "tests/support/fixture_requests.h"

#include "common/environment.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <poll.h>
#include <stdexcept>
#include <string_view>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace clusterd::test {
namespace {

std::string decoded(std::string_view text) {
  std::string plain;
  for (std::size_t at = 0; at < text.size(); ++at) {
    int number = 0;
    if (text[at] == '%' && at + 2 < text.size() &&
        std::from_chars(&text[at + 1], &text[at + 1] + 2, number, 16).ptr == &text[at + 1] + 2) {
      plain += static_cast<char>(number);
      at += 2;
    } else {
      plain += text[at] == '+' ? ' ' : text[at];
    }
  }
  return plain;
}

std::map<std::string, std::string> words_of(std::string_view query) {
  std::map<std::string, std::string> words;
  while (!query.empty()) {
    const std::string_view word = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), word.size() + 1));
    const std::size_t equals = std::min(word.find('='), word.size());
    const std::size_t value = std::min(equals + 1, word.size());
    words[std::string(word.substr(0, equals))] = decoded(word.substr(value));
  }
  return words;
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "-" : value;
}

[[noreturn]] void hang(bool spin) {
  for (volatile bool for_ever = true; for_ever;) {
    if (!spin) ::poll(nullptr, 0, -1);
  }
  ::abort();
}

void leak(std::size_t bytes) {
  static std::vector<std::unique_ptr<char[]>> kept;
  kept.push_back(std::make_unique<char[]>(bytes));
  std::memset(kept.back().get(), 1, bytes);
}

}  // namespace

std::optional<std::string> fixture_target(int fd) {
  pollfd ready{fd, POLLIN, 0};
  char bytes[4096];
  if (::poll(&ready, 1, 30'000) <= 0) return std::nullopt;
  const ssize_t got = ::recv(fd, bytes, sizeof bytes, 0);
  if (got <= 0) return std::nullopt;
  const std::string_view request(bytes, static_cast<std::size_t>(got));
  const std::size_t slash = request.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  return std::string(request.substr(slash + 1, request.find(' ', slash) - slash - 1));
}

std::string fixture_answer(const std::string& id) {
  std::string body = "handled by worker, pid is " + std::to_string(::getpid()) + "\nslot is " +
                     environment(kEnvSlot) + "\ngeneration is " + environment(kEnvGeneration) +
                     "\nworker is " + environment(kEnvWorkerId) + "\n";
  if (!id.empty()) body += "id is " + id + "\n";
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

void fixture_after(Worker& worker, int ms, std::function<void()> call) {
  const int timer = ::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  if (timer < 0) throw std::runtime_error("make a timer");
  const itimerspec once{{0, 0}, {ms / 1000, ms % 1000 * 1'000'000L + (ms == 0 ? 1 : 0)}};
  ::timerfd_settime(timer, 0, &once, nullptr);
  worker.watch(timer, [&worker, timer, call = std::move(call)] {
    worker.unwatch(timer);
    ::close(timer);
    call();
  });
}

void FixtureRequests::serve(Connection connection) {
  const auto asked = fixture_target(connection.fd());
  if (!asked) return;
  const std::string& target = *asked;
  const std::size_t mark = std::min(target.find('?'), target.size());
  const std::string name = target.substr(0, mark);
  auto words = words_of(std::string_view(target).substr(std::min(mark + 1, target.size())));
  const std::string id = words.contains("id") ? words["id"] : target;
  if (name == "slow")
    return answer_later(std::move(connection), id, std::atoi(words["ms"].c_str()));
  if (!words.contains("quiet")) {
    answer(connection.fd(), id);
    // Seen by the client before this process comes to an end.
    connection.close();
  }
  act(name, words);
}

void FixtureRequests::act(const std::string& name, Words& words) {
  const auto number = [&](const char* word) { return std::atoi(words[word].c_str()); };
  if (name == "suicide") worker_.suicide(words["reason"]);
  if (name == "throw") throw std::runtime_error(words["what"]);
  if (name == "hang") hang(words.contains("spin"));
  if (name == "exit") ::_exit(number("code"));
  if (name == "abort") std::abort();
  if (name == "leak") leak(static_cast<std::size_t>(number("mb")) * 1024 * 1024);
  if (name == "stderr") std::fprintf(stderr, "%s\n", words["text"].c_str());
}

void FixtureRequests::answer(int fd, const std::string& id) {
  const std::string text = fixture_answer(id);
  (void)!::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
  worker_.count_request();
}

void FixtureRequests::answer_later(Connection connection, const std::string& id, int ms) {
  const auto kept = std::make_shared<Connection>(std::move(connection));
  fixture_after(worker_, ms, [this, kept, id] {
    answer(kept->fd(), id);
    kept->close();
  });
}

}  // namespace clusterd::test
