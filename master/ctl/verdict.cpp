#include "master/ctl/verdict.h"

#include "common/json.h"
#include "config/words.h"
#include "master/ctl/client.h"
#include "master/ctl/progress.h"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>

#include <cstdint>
#include <cstdio>
#include <unistd.h>
#include <vector>

namespace clusterd::ctl {
namespace {

using Lines = std::vector<std::string>;

/// The strings of the array member `key`, each fit to be shown.
Lines strings(const CheckedJson& answer, std::string_view key) {
  Lines lines;
  const JsonMember* member = answer.find(key);
  if (member == nullptr || member->kind != JsonKind::array) return lines;
  boost::json::error_code error;
  const auto parsed = boost::json::parse({member->value.data(), member->value.size()}, error);
  if (error) return lines;
  for (const auto& element : parsed.as_array()) {
    if (const auto* text = element.if_string()) {
      lines.push_back(config::escaped({text->data(), text->size()}));
    }
  }
  return lines;
}

/// The lines of what a worker wrote: anything, and fit to be shown.
Lines lines_of(std::string_view text) {
  Lines lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    lines.push_back(config::escaped(text.substr(0, end)));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return lines;
}

void print(std::FILE* file, const char* indent, const Lines& lines) {
  for (const std::string& line : lines) std::fprintf(file, "%s%s\n", indent, line.c_str());
}

int print_success(const Deed& deed, const CheckedJson& answer) {
  const Lines changes = strings(answer, "changes");
  print(stdout, "  ", changes);
  if (deed.only_looks) {
    if (changes.empty()) std::puts("nothing would change");
  } else {
    const std::string text = answer.string("text").value_or(deed.verb + ": done");
    std::puts(config::escaped(text).c_str());
  }
  return 0;
}

int print_failure(const Deed& deed, const CheckedJson& answer) {
  const std::string error = answer.string("error").value_or("the master refused");
  report({deed.verb + ": " + config::escaped(error)});
  const Lines mistakes = strings(answer, "mistakes");
  print(stderr, "", mistakes);
  const Lines last_words = lines_of(answer.string("stderr").value_or(""));
  if (!last_words.empty()) std::fputs("its last words:\n", stderr);
  print(stderr, "  ", last_words);
  // A bare refusal says all: perhaps there is nothing left that could go on.
  const std::int64_t code = answer.integer("code").value_or(0);
  const bool was_tried = code != 0 || !mistakes.empty() || !last_words.empty();
  if (was_tried && !deed.fallen_back.empty())
    std::fprintf(stderr, "%s\n", deed.fallen_back.c_str());
  return code >= 1 && code <= 255 ? static_cast<int>(code) : kExitSystem;
}

}  // namespace

int carry_out(const config::Target& target, const Deed& deed) {
  auto connected = Client::connect(target);
  if (const auto* failure = std::get_if<Failure>(&connected)) return report(*failure);
  Progress progress(STDERR_FILENO);
  bool begun = false;
  const auto on_line = [&](std::string_view line) {
    const std::string text = check_json(line)->string("progress").value_or("");
    begun = true;
    if (deed.wait) {
      progress.show(text);
    } else {
      std::puts(config::escaped(text).c_str());
    }
    return deed.wait;
  };
  const Request request{.verb = deed.verb, .line = deed.line, .patient = true};
  const auto last = std::get<Client>(connected).converse(request, on_line);
  progress.clear();
  if (const auto* failure = std::get_if<Failure>(&last)) {
    return report({deed.verb + ": " + failure->text, failure->code});
  }
  const auto answer = check_json(std::get<std::string>(last));
  if (begun && !deed.wait) return 0;
  return answer->boolean("ok") == true ? print_success(deed, *answer)
                                       : print_failure(deed, *answer);
}

}  // namespace clusterd::ctl
