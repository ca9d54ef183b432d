#include "config/known_programs.h"

#include <algorithm>
#include <iterator>

namespace clusterd::config {
namespace {

constexpr std::string_view kNode[] = {"node", "nodejs"};
constexpr std::string_view kTakeListeners[] = {"gunicorn", "uvicorn", "hypercorn", "puma",
                                               "unicorn",  "nginx",   "haproxy"};
constexpr std::string_view kPhpFpm = "php-fpm";  // with a version behind it, mostly

}  // namespace

Protocol protocol_of(std::string_view program) {
  const std::string_view name = program.substr(program.rfind('/') + 1);
  const auto is = [name](std::string_view known) { return name == known; };
  if (std::any_of(std::begin(kNode), std::end(kNode), is)) return Protocol::node;
  const bool takes_listeners =
      name.starts_with(kPhpFpm) ||
      std::any_of(std::begin(kTakeListeners), std::end(kTakeListeners), is);
  return takes_listeners ? Protocol::listen_fds : Protocol::native;
}

}  // namespace clusterd::config
