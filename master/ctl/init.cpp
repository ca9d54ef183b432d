#include "common/unique_fd.h"
#include "config/init_text.h"
#include "config/parse.h"
#include "config/recipes.h"
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

/// With its slash, or "" for the current one.
std::string folder_of(const std::string& file) { return file.substr(0, file.rfind('/') + 1); }

/// What else the recipe's server reads goes beside app.conf. What is there already is the user's.
std::string write_recipe(const std::string& file, const config::Recipe& recipe) {
  const std::string folder = folder_of(file);
  for (const config::RecipeFile& each : recipe.files) {
    const bool is_conf = &each == recipe.files.data();
    const std::string path = is_conf ? file : folder + std::string(each.name);
    const std::string why = write_new(path, each.text);
    if (!why.empty() && is_conf) return why;
    std::printf("%s\n", why.empty() ? ("wrote " + path).c_str() : why.c_str());
  }
  return "";
}

/// The recipe's own commands, and what is wrong in the new file: most often the program is not
/// there yet, or not where the file's folder makes it be.
void tell_what_to_do(const std::string& file, const std::vector<std::string>& steps) {
  std::string text;
  const std::string folder = folder_of(file);
  for (const std::string& step : steps) {
    text += (folder.empty() ? "" : "in " + folder + ": ") + step + "\n";
  }
  const auto loaded = config::load(file);
  if (const auto* mistakes = std::get_if<config::Mistakes>(&loaded)) {
    for (const config::Mistake& mistake : *mistakes) text += config::text(file, mistake) + "\n";
  }
  if (text.empty()) return;
  std::printf("to do before \"clusterd start %s\":\n%s", file.c_str(), text.c_str());
}

}  // namespace

int run(const config::InitCommand& command) {
  if (const config::Recipe* recipe = config::find_recipe(command.worker)) {
    const std::string why = write_recipe(command.file, *recipe);
    if (!why.empty()) return report({config::escaped(why), kExitSystem});
    tell_what_to_do(command.file, config::first_steps(*recipe));
    return 0;
  }
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
  tell_what_to_do(command.file, {});
  return 0;
}

}  // namespace clusterd::ctl
