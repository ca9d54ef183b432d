#include "config/recipes.h"

#include <algorithm>

namespace clusterd::config {
namespace {

constexpr std::string_view kStart = R"(# Recipes

Made from `examples/recipes` by `clusterd keys --recipes > docs/recipes.md`; a test compares the
two, and another runs each of them under load through a crash, a leave and a reload.

How servers that we did not write run under clusterd: each inherits the listening sockets, which
are the master's and outlive all workers (`protocol = "listen-fds"`; [KEYS.md](KEYS.md) has its
keys). `clusterd init --worker NAME` writes what stands here.

What holds for all of them:

- **The workers accept for themselves**, so the policy is `accept-race`, and how even that is is
  the server's affair. What the master would have to hand out, count or see does not exist here:
  `max_connections`, `stall_timeout`, `queue_timeout`, `recycle.requests`, the numbers of
  connections in `clusterd status`.
- **One process a worker** is what clusterd restarts, recycles and counts. A server that forks for
  itself is told to have one worker; `recycle.memory` does not count what it has forked.
- **A crash** costs the connections that the worker had accepted. Who waits in the queue does not
  see it.
- **A leave** is `drain_signal`, then TERM after `drain_timeout`, then KILL after `kill_timeout`.
  What is lost by then is what the server did not finish. Give it as much time as its longest
  request.
- **Ready**: `"notify"` where the server says so when it is. Else `http` or `tcp` is seen from
  outside, and `alive` is how long a new worker gets while others answer: for a program that takes
  long to load make it that long, or a reload lets the old ones go too early. (Nobody is refused
  then, but they wait.)
- **Addresses** that stand in a server's own file have to be the same in app.conf.
)";

}  // namespace

const Recipe* find_recipe(std::string_view name) {
  const auto all = recipes();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Recipe& one) { return one.name == name; });
  return found == all.end() ? nullptr : &*found;
}

std::string recipes_markdown() {
  std::string text(kStart);
  for (const Recipe& recipe : recipes()) {
    text.append("\n## ").append(recipe.name).append("\n");
    for (const RecipeFile& file : recipe.files) {
      const std::string_view ending = file.name.substr(file.name.rfind('.') + 1);
      const std::string_view language = file.name == "app.conf" ? "toml" : ending;
      text.append("\n`").append(file.name).append("`:\n\n```").append(language).append("\n");
      text.append(file.text).append("```\n");
    }
  }
  return text;
}

}  // namespace clusterd::config
