#include "common/unique_fd.h"
#include "config/init_text.h"
#include "config/parse.h"
#include "config/words.h"
#include "master/ctl/client.h"
#include "master/ctl/verbs.h"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <unistd.h>
#include <variant>
#include <vector>

namespace clusterd::ctl {
namespace {

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

/// An empty string, or why the file could not be written.
std::string write_new(const std::string& file, std::string_view text) {
  const UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!fd && errno == EEXIST) return file + " is there already, and was left as it is";
  if (!fd) return errno_error("write " + file).message();
  if (write_all(fd.get(), text)) return "";
  std::string why = errno_error("write " + file).message();
  ::unlink(file.c_str());
  return why;
}

}  // namespace

int run(const config::InitCommand& command) {
  std::vector<std::string> words;
  if (!command.worker.empty()) {
    auto split = config::split_words(command.worker);
    if (!split.has_value()) {
      return report(
          {"init: --worker " + config::in_quotes(command.worker) + ": " + split.error().message(),
           kExitUsage});
    }
    words = std::move(*split);
  }
  const std::string why = write_new(command.file, config::init_text(command.file, words));
  if (!why.empty()) return report({config::escaped(why), kExitSystem});

  std::printf("wrote %s\n", command.file.c_str());
  // Most often the program is not there yet, or not where this file's folder makes it be.
  const auto loaded = config::load(command.file);
  if (const auto* mistakes = std::get_if<config::Mistakes>(&loaded)) {
    std::printf("to do before \"clusterd start %s\":\n", command.file.c_str());
    for (const config::Mistake& mistake : *mistakes) {
      std::printf("%s\n", config::text(command.file, mistake).c_str());
    }
  }
  return 0;
}

}  // namespace clusterd::ctl
