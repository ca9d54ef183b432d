#include "config/recipes.h"

#include <algorithm>
#include <cstddef>

namespace clusterd::config {
namespace {

constexpr std::string_view kStart = R"(# Recipes

Made from `examples/recipes` by `clusterd keys --recipes > docs/recipes.md`; a test compares the
two, and another runs each of them under load through a crash, a leave and a reload.

How programs of Node, Egg and Python, and servers that we did not write, run under clusterd.
`clusterd init --worker NAME` writes what stands here, and leaves a file that is there as it is.

The first three talk with the master in Node's protocol: it hands them connections, so any policy
will do, and they are ready when they listen. All others inherit the listening sockets, which are
the master's and outlive all workers (`protocol = "listen-fds"`; [KEYS.md](KEYS.md) has its keys).
What holds for these:

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

## In production

- **Where the program is**: `clusterd@shop` runs `/etc/clusterd/shop.conf`, and a relative path
  starts at that file's folder. Say `cwd = "/srv/shop"`, and put there what the server reads too
  (nginx.conf, haproxy.cfg, the folder `run`).
- **Which program**: a word without a slash is looked up in PATH, which is systemd's. That of a venv
  is named whole, `"/srv/shop/venv/bin/gunicorn"`; Bundler's begins with `"bundle", "exec"`. Both
  become the server, in the same process.
- **Who it is**: the service starts as root and `user` is whom the workers run as. Ports below 1024
  are no reason to be root: the master opens them.
- **How many**: `workers`. What a platform says by WEB_CONCURRENCY does not count here.
- **What it prints** goes to the log of clusterd, and so to the journal. A server that opens
  `/dev/stdout` or `/dev/stderr` anew may, also as another user, unless `[log] capture` is off.
- **What is asked**: `http = "/"` has to be a path that answers 2xx or 3xx, without a login and
  within a second or so; with another path name it.
)";

void append_file(std::string& text, const RecipeFile& file) {
  text.append("\n`").append(file.name).append("`");
  if (!file.origin.empty()) {
    text.append(" is [").append(file.origin).append("](../").append(file.origin).append(").\n");
    return;
  }
  const std::string_view ending = file.name.substr(file.name.rfind('.') + 1);
  const std::string_view language = file.name == "app.conf" ? "toml" : ending;
  text.append(":\n\n```").append(language).append("\n").append(file.text).append("```\n");
}

}  // namespace

const Recipe* find_recipe(std::string_view name) {
  const auto all = recipes();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Recipe& one) { return one.name == name; });
  return found == all.end() ? nullptr : &*found;
}

std::vector<std::string> first_steps(const Recipe& recipe) {
  constexpr std::string_view kFirst = "\n# First: ";
  std::vector<std::string> steps;
  const std::string_view text = recipe.files[0].text;
  for (std::size_t at = 0; (at = text.find(kFirst, at)) != std::string_view::npos;) {
    at += kFirst.size();
    steps.emplace_back(text.substr(at, text.find('\n', at) - at));
  }
  return steps;
}

std::string recipes_markdown() {
  std::string text(kStart);
  for (const Recipe& recipe : recipes()) {
    text.append("\n## ").append(recipe.name).append("\n");
    for (const RecipeFile& file : recipe.files) append_file(text, file);
  }
  return text;
}

}  // namespace clusterd::config
