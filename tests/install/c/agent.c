/* Answers a message, in strict C99. */
#include <clusterd/agent.h>
#include <stdio.h>

static void on_ask(void* user, const clusterd_message* message) {
  if (clusterd_agent_reply(user, message->sender_pid, message->request, "42") < 0) {
    clusterd_agent_failed(user, clusterd_last_error());
  }
}

int main(void) {
  clusterd_agent* agent = clusterd_agent_new();
  int status = 1;
  if (agent == NULL || clusterd_agent_api() < CLUSTERD_AGENT_API ||
      clusterd_agent_on_message(agent, "ask", on_ask, agent) < 0 ||
      clusterd_agent_ready(agent) < 0) {
    fprintf(stderr, "agent: %s\n", clusterd_last_error());
  } else if (clusterd_agent_managed(agent)) {
    status = clusterd_agent_run(agent);
  } else {
    status = 0; /* there is nobody to ask */
  }
  clusterd_agent_free(agent);
  return status;
}
