#include "config/init_text.h"

#include "common/json.h"
#include "config/keys.h"
#include "config/words.h"

#include <cstddef>
#include <filesystem>

namespace clusterd::config {
namespace {

constexpr std::size_t kColumn = 34;  // of the comments
constexpr std::size_t kWidth = 100;

constexpr std::string_view kStart =
    R"(# A cluster of worker processes. "clusterd check FILE" says what is wrong in this file, and
# "clusterd start FILE" runs it. A key with a # shows its default or, if that is no plain value, an
# example. Paths start at this file's folder.
)";

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const Utf8Sequence sequence = scan_utf8(text);
    if (!sequence.whole) return false;
    text.remove_prefix(sequence.length);
  }
  return true;
}

/// `key = value             # meaning`, or on two lines what is too long for one.
std::string line(const Key& key, std::string_view value, bool in_use) {
  const std::string meaning = "# " + std::string(key.meaning);
  std::string text = (in_use ? "" : "# ") + std::string(key.name) + " = " + std::string(value);
  const std::size_t column = std::max(text.size() + 2, kColumn);
  if (column + meaning.size() > kWidth) return meaning + ":\n" + text + "\n";
  text.resize(column, ' ');
  return text + meaning + "\n";
}

std::string array_of(std::span<const std::string> words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + as_toml(word);
  return "[" + text + "]";
}

bool is_table(const Key& key) { return find_table(path_of(key.table, key.name)) != nullptr; }

std::string lines_of(const Table& table, const std::string& stem,
                     std::span<const std::string> command) {
  std::string text;
  for (const Key& key : keys()) {
    if (key.table != table.name || (key.table.empty() && is_table(key))) continue;
    const std::string path = path_of(key.table, key.name);
    if (path == "worker.command" && !command.empty()) {
      text += line(key, array_of(command), true);
    } else if (path == "name") {
      // A file may have a name that a cluster cannot have.
      const bool fits = is_cluster_name(stem);
      text += line(key, as_toml(fits ? stem : "app"), !fits);
    } else {
      const bool in_use = key.required() && key.table != "schedule";
      text += line(key, key.sample(), in_use || path == "workers");
    }
  }
  return text;
}

/// A command on its way to words.
class Splitter {
 public:
  explicit Splitter(std::string_view text) : text_(text) {}

  [[nodiscard]] Result<std::vector<std::string>> run() {
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      const bool fine = c == ' ' || c == '\t' || c == '\n' ? finish_word() : take(c);
      if (!fine) return make_error(why_);
    }
    if (!finish_word()) return make_error(why_);
    if (words_.empty()) return make_error("it names no program");
    return words_;
  }

 private:
  [[nodiscard]] bool take(char c) {
    in_word_ = true;
    if (c == '\'' || c == '"') return take_quoted(c);
    if (c == '\\' && at_ == text_.size()) return fail("a backslash takes nothing");
    word_ += c == '\\' ? text_[at_++] : c;
    return true;
  }

  [[nodiscard]] bool take_quoted(char quote) {
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c == quote) return true;
      const std::string_view next = text_.substr(at_, 1);
      const bool escape = c == '\\' && quote == '"' && (next == "\"" || next == "\\");
      word_ += escape ? text_[at_++] : c;
    }
    return fail("a quote is not closed");
  }

  [[nodiscard]] bool fail(const char* why) {
    why_ = why;
    return false;
  }

  [[nodiscard]] bool finish_word() {
    if (!in_word_) return true;
    // app.conf has none: what is empty there is most often a slip.
    if (word_.empty()) return fail("a word is empty");
    words_.push_back(std::move(word_));
    word_.clear();
    in_word_ = false;
    return true;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::vector<std::string> words_;
  std::string word_;
  bool in_word_ = false;
  const char* why_ = "";
};

}  // namespace

Result<std::vector<std::string>> split_words(std::string_view command) {
  if (!is_utf8(command)) return make_error("it is not UTF-8");
  return Splitter(command).run();
}

std::string init_text(const std::string& file, std::span<const std::string> command) {
  const std::string stem = std::filesystem::path(file).stem().string();
  std::string text(kStart);
  for (const Table& table : tables()) {
    // The one table in a table is written as a value.
    if (table.name.find('.') != std::string_view::npos) continue;
    text += '\n';
    // Of what need not be there, not even the heading.
    if (table.name == "schedule") text += "# ";
    if (!table.name.empty()) text.append(table.title).append("\n");
    text += lines_of(table, stem, command);
  }
  return text;
}

}  // namespace clusterd::config
