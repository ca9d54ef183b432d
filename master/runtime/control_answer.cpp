#include "master/runtime/control_answer.h"

namespace clusterd::runtime {

void answer_line(std::string_view line, const Reply& reply, const VerbAnswer& answer) {
  const auto request = check_json(line);
  const auto verb = request ? request->string("verb") : std::nullopt;
  if (!verb) return reply.refuse("a request is a line such as {\"verb\":\"status\"}");
  if (!answer(*verb, *request, reply)) reply.refuse("no such verb: " + *verb);
}

}  // namespace clusterd::runtime
