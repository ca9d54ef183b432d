#include "config/parse_agent.h"

#include "config/choices.h"
#include "config/known_programs.h"
#include "config/parse_identity.h"
#include "config/parse_ready.h"
#include "config/program_reader.h"

#include <string>
#include <utility>

namespace clusterd::config {
namespace {

/// An empty command is as good as none.
bool has_command(const TomlReader& reader) {
  const toml::node* node = reader.find("command");
  if (node == nullptr) return false;
  const toml::array* words = node->as_array();
  return words == nullptr || !words->empty();
}

/// A program of Node is no worker of a cluster here, but a plain child, as Egg's agent is.
void read_protocol(ProgramReader& program) {
  Worker& agent = program.program();
  if (!agent.command.empty() && protocol_of(agent.command) == Protocol::node) {
    agent.protocol = Protocol::node_fork;
  }
  TomlReader& reader = program.reader();
  const toml::node* node = reader.find("protocol");
  if (node != nullptr && node->value<std::string_view>() != "auto") {
    reader.choice<Protocol>("protocol", "protocol", kAgentProtocols, agent.protocol);
  }
  const std::string why = why_not_started(agent.protocol, agent.command, "the agent program");
  if (!why.empty()) reader.blame("command", why);
}

void read_life(ProgramReader& program) {
  using Zero = TomlReader::Zero;
  Worker& agent = program.program();
  TomlReader& reader = program.reader();
  reader.choice<Ready::When>("ready", "way to be ready", kAgentReadyWays, agent.ready.when);
  if (agent.protocol == Protocol::native && agent.ready.when == Ready::When::started) {
    reader.blame("ready", R"("none" is only for protocol = "node-fork" and "none")");
  }
  read_drain_signal(reader, agent.drain_signal);
  if (agent.protocol == Protocol::native && agent.drain_signal != SIGTERM) {
    reader.blame("drain_signal", R"(is only for protocol = "node-fork" and "none")");
  }
  reader.duration("ready_timeout", Zero::refused, agent.ready_timeout);
  reader.duration("drain_timeout", Zero::allowed, agent.drain_timeout);
  reader.duration("kill_timeout", Zero::refused, agent.kill_timeout);
}

Agent read_table(ProgramReader program) {
  program.reader().check_keys();
  if (has_command(program.reader())) program.read_command();
  program.read_environment();
  read_protocol(program);
  read_life(program);
  program.read_folder();
  program.read_process();
  Agent agent;
  agent.user = read_user(program.reader(), program.surroundings());
  agent.program = std::move(program.program());
  return agent;
}

}  // namespace

Agent read_agent(TomlReader& top, const Settings& settings, const Surroundings& surroundings,
                 Mistakes& mistakes) {
  Agent agent;
  if (const toml::table* table = top.table("agent")) {
    ProgramReader program(*table, "agent", settings.directory, surroundings, mistakes);
    agent = read_table(std::move(program));
  }
  if (!agent.user) agent.user = settings.user;
  return agent;
}

}  // namespace clusterd::config
