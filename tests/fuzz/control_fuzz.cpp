// Any bytes on the control socket: each line is answered with lines of JSON, of which exactly one
// is the last, and only a request reaches who knows the verbs.
#include "common/line_reader.h"
#include "master/runtime/control_answer.h"
#include "tests/fuzz/fuzz.h"

#include <memory>
#include <string>

namespace clusterd::fuzz {
namespace {

constexpr std::size_t kLongestRequest = 4096;

/// As the supervisor: it looks at a member of the request, and knows three verbs, of which one
/// takes its time and says so.
bool answer(const std::string& verb, const CheckedJson& request, const runtime::Reply& reply) {
  must(request.string("verb") == verb, "a verb is the request's own");
  must(!reply.gone(), "somebody asked");
  JsonWriter json;
  json.begin_object().member("ok", true);
  if (verb == "status") {
    json.key("status").begin_object().end_object();
  } else if (verb == "stop") {
    json.member("now", request.boolean("now").value_or(false));
  } else if (verb == "events") {
    reply.progress(verb);
    reply.line("{\"event\":\"start\"}");
  } else {
    return false;
  }
  reply.finish(json.end_object().take());
  must(reply.gone(), "a verb is ended once");
  reply.finish("nobody hears this");
  return true;
}

/// What the client of one line hears.
class Client {
 public:
  void ask(std::string_view line) {
    runtime::answer_line(line, runtime::Reply(send_), answer);
    must(!send_, "each line is answered");
  }

 private:
  void hear(const std::string& text, bool last) {
    must(text.find('\n') == std::string::npos, "an answer is one line");
    const auto json = check_json(text);
    must(json.has_value(), "an answer is JSON");
    must(last == json->boolean("ok").has_value(), "the last line says whether it went well");
    must(!last || *json->boolean("ok") || json->string("error"), "and what went wrong");
    if (last) send_.reset();
  }

  std::shared_ptr<const runtime::Reply::Send> send_ = std::make_shared<runtime::Reply::Send>(
      [this](const std::string& text, bool last) { hear(text, last); });
};

}  // namespace

void try_input(std::string_view input) {
  LineReader reader(kLongestRequest);
  Decisions decisions(input);
  while (!decisions.none_left() && !reader.too_long()) {
    reader.add(decisions.take(1000));
    while (const auto line = reader.next()) Client().ask(*line);
  }
}

}  // namespace clusterd::fuzz
