// Writes clusterd-app.conf(5) for scdoc, from the one list of keys and the prose of docs/KEYS.md.

#include "config/keys.h"

#include <cstdio>
#include <string>
#include <string_view>

using namespace clusterd;

namespace {

constexpr std::string_view kStart = R"(clusterd-app.conf(5) "clusterd" "File Formats Manual"

# NAME

clusterd-app.conf - what clusterd runs, and how

# DESCRIPTION

*clusterd start* _FILE_ runs what this file says. It may have any name; _app.conf_ is the usual one.

)";

constexpr std::string_view kExamples = R"(
# EXAMPLES

All that there has to be:

```
[[listen]]
address = "127.0.0.1:8080"

[worker]
command = ["./server"]
```

A public listener and one for this machine alone, and workers that may hold a thousand connections
each and take up to half a minute to finish them:

```
name = "shop"
workers = 8

[[listen]]
name = "http"
address = "0.0.0.0:8080"
policy = "least-connections"

[[listen]]
name = "admin"
address = "unix:/run/shop/admin.sock"
mode = "0600"

[worker]
command = ["../bin/server", "-v"]
env_file = "prod.env"
env = { GREETING = "hello" }
max_connections = 1000
drain_timeout = "30s"
```

*clusterd init* writes a file with every key, as comments that tell the defaults.

# KEYS

Each with what it takes. Those of a table in brackets stand below its heading in the file.
)";

constexpr std::string_view kEnd = R"(
# SEE ALSO

*clusterd*(1), *https://toml.io*
)";

/// As scdoc's plain text: nothing in it is markup.
std::string plain(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '\\' || c == '*' || c == '_' || c == '#') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

std::string bold(std::string_view text) { return "*" + plain(text) + "*"; }

/// The code span that `text` begins with, in one or two backticks, as bold text; it is taken off.
std::string take_code(std::string_view& text) {
  const std::string_view mark = text.starts_with("``") ? "``" : "`";
  text.remove_prefix(mark.size());
  const std::size_t end = text.find(mark);
  std::string_view code = text.substr(0, end);
  text.remove_prefix(end + mark.size());
  while (code.starts_with(' ')) code.remove_prefix(1);
  while (code.ends_with(' ')) code.remove_suffix(1);
  return bold(code);
}

/// The link that `text` begins with, as its words; it is taken off.
std::string take_link(std::string_view& text) {
  const std::size_t middle = text.find("](");
  const std::string words = plain(text.substr(1, middle - 1));
  text.remove_prefix(text.find(')', middle) + 1);
  return words;
}

/// The heading that `text` begins with, in which there is no markup; it is taken off.
std::string take_heading(std::string_view& text) {
  const std::size_t end = text.find('\n');
  std::string heading(text.substr(0, end));
  std::erase(heading, '`');
  text.remove_prefix(end);
  return heading;
}

/// Markdown as scdoc's: lists, headings and code blocks are alike in both.
std::string from_markdown(std::string_view text) {
  std::string page;
  bool in_block = false;
  bool line_starts = true;
  while (!text.empty()) {
    if (line_starts && text.starts_with("```")) {
      in_block = !in_block;
      page += "```";
      text.remove_prefix(text.find('\n'));
    } else if (line_starts && text.starts_with("## ")) {
      page += take_heading(text);
    }
    line_starts = text.front() == '\n';
    if (in_block) {
      page += text.front() == '\\' ? "\\\\" : std::string(1, text.front());
      text.remove_prefix(1);
    } else if (text.front() == '`') {
      page += take_code(text);
    } else if (text.front() == '[' && text.find("](") < text.find(']') + 1) {
      page += take_link(text);
    } else {
      page += plain(text.substr(0, 1));
      text.remove_prefix(1);
    }
  }
  return page;
}

std::string entry(const config::Key& key) {
  const std::string fallback = key.required()        ? "required"
                               : key.example.empty() ? "default: " + bold(key.fallback)
                                                     : "default: " + plain(key.fallback);
  // Where one meaning goes on in the next in the table, here each stands by itself.
  std::string_view meaning = key.meaning;
  if (meaning.starts_with("... ")) meaning.remove_prefix(4);
  if (meaning.ends_with(", ...")) meaning.remove_suffix(5);
  return "\n" + bold(key.name) + " = _" + plain(key.type) + "_\n\t" + plain(meaning) + " (" +
         fallback + ")\n";
}

std::string all_keys() {
  std::string page;
  for (const config::Table& table : config::tables()) {
    page += "\n## " + plain(table.name.empty() ? "The top level" : table.title) + "\n";
    for (const config::Key& key : config::keys()) {
      if (key.table == table.name) page += entry(key);
    }
  }
  return page;
}

}  // namespace

int main() {
  const std::string markdown = config::keys_markdown();
  const std::size_t intro = markdown.find("\n`app.conf`") + 1;
  const std::size_t keys = markdown.find("\n## ", intro);
  const std::size_t more = markdown.find("\n## More", keys);
  std::string page(kStart);
  page += from_markdown(std::string_view(markdown).substr(intro, keys - intro));
  page.append(kExamples).append(all_keys()).append("\n# NOTES\n");
  page += from_markdown(std::string_view(markdown).substr(more));
  page += kEnd;
  return std::fputs(page.c_str(), stdout) < 0 ? 1 : 0;
}
