// Answers a message, and does the runs of a schedule.
#include <clusterd/agent.hpp>
#include <stdexcept>

int main() {
  clusterd::Agent agent;
  agent.on("ask", [&](const clusterd::Message& message) { agent.reply(message, "42"); });
  agent.on_schedule("job", [](const clusterd::Run& run) {
    if (run.data() != "null") throw std::runtime_error("it takes no data");
  });
  agent.ready();
  return agent.managed() ? agent.run() : 0;  // there may be nobody to ask
}
