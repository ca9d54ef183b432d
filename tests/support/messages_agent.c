/* An agent program on the C interface. What it has heard and has no answer for it tells all
 * workers:
 *
 * - "echo" is answered with its data.
 * - "relay" SLOT asks the worker there for its "count": "relayed" OUTCOME, and "answer" with what
 * it answered.
 * - "first", of which only one is handled: "only" with its data. Others: "other" with theirs.
 * - "fail" is an error of the agent, and what its callback for these is told is "failed".
 * - "lose" sends a message to nobody: "missed" COUNT.
 * - A run of the schedule "job" goes well if it has no data, else it fails with that.
 */
#include <clusterd/agent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void tell(clusterd_agent* agent, const char* action, const char* json) {
  if (clusterd_agent_send(agent, CLUSTERD_TO_APP, 0, action, json) != 1) {
    fprintf(stderr, "messages-agent: %s\n", clusterd_last_error());
  }
}

static void tell_number(clusterd_agent* agent, const char* action, long long number) {
  char text[32];
  snprintf(text, sizeof text, "%lld", number);
  tell(agent, action, text);
}

static void on_echo(void* agent, const clusterd_message* message) {
  clusterd_agent_reply(agent, message->sender_pid, message->request, message->data);
}

static void on_answer(void* agent, const clusterd_answer* answer) {
  tell_number(agent, "relayed", answer->outcome);
  if (answer->outcome == CLUSTERD_ANSWERED) tell(agent, "answer", answer->data);
}

static void on_relay(void* agent, const clusterd_message* message) {
  const int slot = atoi(message->data);
  clusterd_agent_request(agent, CLUSTERD_TO_SLOT, slot, "count", NULL, 9000, on_answer, agent);
}

static void on_first(void* agent, const clusterd_message* message) {
  tell(agent, "only", message->data);
}

static void on_other(void* agent, const clusterd_message* message) {
  tell(agent, "other", message->data);
}

static void on_fail(void* agent, const clusterd_message* message) {
  clusterd_agent_failed(agent, message->data);
}

static void on_error(void* agent, const char* what) { tell(agent, "failed", what); }

static void on_lose(void* agent, const clusterd_message* message) {
  (void)message;
  clusterd_agent_send(agent, CLUSTERD_TO_PID, 1, "nobody", NULL);
}

static void on_undelivered(void* agent, const char* action, int64_t count) {
  if (strcmp(action, "nobody") == 0) tell_number(agent, "missed", (long long)count);
}

static void on_job(void* agent, clusterd_run* run) {
  (void)agent;
  const char* data = clusterd_run_data(run);
  clusterd_run_end(run, strcmp(data, "null") == 0 ? NULL : data);
}

int main(void) {
  clusterd_agent* agent = clusterd_agent_new();
  if (agent == NULL || clusterd_agent_on_message(agent, "echo", on_echo, agent) < 0 ||
      clusterd_agent_on_message(agent, "relay", on_relay, agent) < 0 ||
      clusterd_agent_on_message(agent, "fail", on_fail, agent) < 0 ||
      clusterd_agent_on_message(agent, "lose", on_lose, agent) < 0 ||
      clusterd_agent_on_message(agent, "", on_other, agent) < 0 ||
      clusterd_agent_once(agent, "first", on_first, agent) < 0 ||
      clusterd_agent_on_schedule(agent, "job", on_job, agent) < 0 ||
      clusterd_agent_on_schedule(agent, "broken", on_job, agent) < 0) {
    fprintf(stderr, "messages-agent: %s\n", clusterd_last_error());
    return 1;
  }
  clusterd_agent_on_error(agent, on_error, agent);
  clusterd_agent_on_undelivered(agent, on_undelivered, agent);
  const int code = clusterd_agent_ready(agent) < 0 ? 1 : clusterd_agent_run(agent);
  clusterd_agent_free(agent);
  return code;
}
