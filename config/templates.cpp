#include "config/templates.h"

#include <optional>
#include <utility>

namespace clusterd::config {
namespace {

constexpr std::pair<std::string_view, Template::Kind> kKinds[] = {
    {"fd:", Template::Kind::fd},
    {"address:", Template::Kind::address},
    {"port:", Template::Kind::port}};

/// What stands between two braces, if that is a template.
std::optional<Template> read(std::string_view inside) {
  if (inside == "slot") return Template{Template::Kind::slot, {}};
  if (inside == "worker") return Template{Template::Kind::worker, {}};
  for (const auto& [word, kind] : kKinds) {
    if (inside.starts_with(word)) return Template{kind, inside.substr(word.size())};
  }
  return std::nullopt;
}

}  // namespace

std::vector<Template> find_templates(std::string_view text) {
  std::vector<Template> found;
  std::size_t open = text.find('{');
  while (open != std::string_view::npos) {
    const std::size_t end = text.find_first_of("{}", open + 1);
    if (end == std::string_view::npos) break;
    auto one = text[end] == '}' ? read(text.substr(open + 1, end - open - 1)) : std::nullopt;
    if (one) {
      one->begin = open;
      one->size = end + 1 - open;
      found.push_back(*one);
    }
    open = text[end] == '{' ? end : text.find('{', end);
  }
  return found;
}

std::string filled_in(std::string_view text,
                      const std::function<std::string(const Template&)>& value) {
  std::string result;
  std::size_t done = 0;
  for (const Template& one : find_templates(text)) {
    result.append(text.substr(done, one.begin - done)).append(value(one));
    done = one.begin + one.size;
  }
  return result.append(text.substr(done));
}

}  // namespace clusterd::config
