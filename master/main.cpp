#include "agent/builtin_agent.h"
#include "common/environment.h"
#include "common/exit_code.h"
#include "config/command_line.h"
#include "config/keys.h"
#include "config/recipes.h"
#include "master/ctl/verbs.h"
#include "master/os/self.h"
#include "master/start.h"

#include <cstdio>
#include <exception>
#include <string_view>

namespace {

struct Run {
  int operator()(const clusterd::config::StartCommand& command) const {
    return clusterd::run_start(command);
  }
  int operator()(const clusterd::config::CheckCommand& command) const {
    return clusterd::run_check(command);
  }
  int operator()(const clusterd::config::KeysCommand& command) const {
    using namespace clusterd::config;
    const std::string text = command.recipes ? recipes_markdown()
                             : command.names ? keys_for_set()
                                             : keys_markdown();
    std::fputs(text.c_str(), stdout);
    return 0;
  }
  int operator()(const clusterd::config::PrintAndExit& print) const {
    std::fputs(print.text.c_str(), print.code == 0 ? stdout : stderr);
    return print.code;
  }
  template <typename Verb>
  int operator()(const Verb& command) const {
    return clusterd::ctl::run(command);
  }
};

}  // namespace

int main(int argc, char** argv) {
  try {
    if (!clusterd::os::open_standard_descriptors()) return clusterd::kExitSystem;
    if (argc == 1 && std::string_view(argv[0]).starts_with(clusterd::kAgentTitle)) {
      return clusterd::agent::run_builtin_agent();
    }
    return std::visit(Run{}, clusterd::config::parse_command_line(argc, argv));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "clusterd: %s; this is a bug in clusterd\n", error.what());
    return clusterd::kExitInternal;
  }
}
