#include "master/ctl/status_text.h"

#include "config/words.h"
#include "master/ctl/age.h"
#include "master/ctl/table.h"

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>
#include <boost/json/value_to.hpp>

#include <algorithm>
#include <cstdio>
#include <string_view>
#include <utility>
#include <vector>

namespace clusterd::ctl {
namespace {

using boost::json::object;
using boost::json::value;
using Align = Table::Align;

std::string cell(const value& content) {
  if (content.is_string()) return std::string(content.as_string());
  if (content.is_int64()) return std::to_string(content.as_int64());
  if (content.is_uint64()) return std::to_string(content.as_uint64());
  return "-";
}

std::string painted(std::string_view state, bool colour) {
  std::string text(state);
  if (!colour) return text;
  if (state == "running") return "\x1b[32m" + text + "\x1b[0m";
  return "\x1b[33m" + text + "\x1b[0m";
}

/// "1 death", "2 deaths"
std::string counted(const value& number, const std::string& what) {
  return cell(number) + " " + what + (number == 1 ? "" : "s");
}

/// What another program wrote, fit to be shown.
std::string shown(const value& text) {
  return text.is_string() ? config::escaped(std::string(text.as_string())) : "";
}

/// Nullptr as well if a master of another version has no such member.
const object* object_in(const object& parent, std::string_view name) {
  const value* found = parent.if_contains(name);
  return found == nullptr ? nullptr : found->if_object();
}

std::string rollout(const object& status) {
  const object* way = object_in(status, "rollout");
  if (way == nullptr) return "";
  return "generation " + cell(way->at("from")) + " -> " + cell(way->at("to")) + ": " +
         cell(way->at("replaced")) + " of " + cell(way->at("of")) + " workers replaced\n";
}

/// Of a stop that still serves, for the sake of who has not heard of it.
std::string stop_delay(const object& status) {
  const value* left = status.if_contains("stops_in_s");
  if (left == nullptr || left->is_null()) return "";
  return "serves on, and stops in " + text_of(left->to_number<double>()) + "\n";
}

/// Of a log that the agent cannot write.
std::string log_trouble(const object& status) {
  const object* log = object_in(status, "log");
  const value* error = log == nullptr ? nullptr : log->if_contains("error");
  return error == nullptr ? "" : "the log is not written: " + shown(*error) + "\n";
}

/// Nothing as long as nobody was ever replaced.
std::string restarts(const object& status, bool colour) {
  const object& counts = status.at("restarts").as_object();
  if (counts.at("total") == 0 && counts.at("in_window") == 0) return "";
  const value* window = counts.if_contains("window_s");
  std::string text = counted(counts.at("total"), "restart") + "; " +
                     counted(counts.at("in_window"), "death") + " in the last " +
                     (window == nullptr ? "window" : text_of(window->to_number<double>())) + ", " +
                     cell(counts.at("limit")) + " are too many";
  if (counts.at("given_up") == true) text += ": " + painted("given up", colour);
  return text + "\n";
}

/// Nothing where there is to be none, or of a master that knows of none.
std::string agent_program(const object& status) {
  const value* found = status.if_contains("agent_program");
  const auto* program = found == nullptr ? nullptr : found->if_object();
  if (program == nullptr) return "";
  std::string text = ", agent program ";
  if (!program->at("pid").is_null()) text += "pid " + cell(program->at("pid")) + " ";
  text += cell(program->at("state"));
  if (program->at("restarts") != 0) text += ", " + cell(program->at("restarts")) + " restarts";
  return text;
}

std::string head(const object& status, bool colour) {
  const object& master = status.at("master").as_object();
  std::size_t ready = 0;
  for (const value& worker : status.at("workers").as_array()) {
    if (worker.at("state") == "ready") ++ready;
  }
  std::string text = cell(status.at("name")) + ": " + painted(cell(status.at("state")), colour) +
                     ", " + std::to_string(ready) + " of " +
                     std::to_string(status.at("slots").as_array().size()) + " workers ready, up " +
                     age(master.at("uptime_s").to_number<double>()) + "\n";
  text += "master pid " + cell(master.at("pid")) + " (clusterd " + cell(master.at("version")) + ")";
  if (const auto* agent = status.at("agent").if_object()) {
    text += ", agent pid " + cell(agent->at("pid")) + " " + cell(agent->at("state"));
    if (agent->at("restarts") != 0) text += ", " + cell(agent->at("restarts")) + " restarts";
  } else {
    text += ", no agent";
  }
  text += agent_program(status);
  return text + "\n" + log_trouble(status) + stop_delay(status) + rollout(status) +
         restarts(status, colour);
}

/// The state of a listener is said only where there is one that is not open.
std::string listeners(const object& status, bool colour) {
  const auto& all = status.at("listeners").as_array();
  const auto state = [](const value& one) {
    const value* found = one.as_object().if_contains("state");
    return found == nullptr ? "open" : cell(*found);
  };
  const bool all_open =
      std::all_of(all.begin(), all.end(), [&](const value& one) { return state(one) == "open"; });
  Table table;
  for (const char* title : {"LISTENER", "ADDRESS", "POLICY"}) table.column(title, Align::left);
  if (!all_open) table.column("STATE", Align::left);
  for (const char* title : {"ACCEPTED", "WAITING"}) table.column(title, Align::right);
  for (const value& one : all) {
    std::vector<std::string> row{cell(one.at("name")), cell(one.at("address")),
                                 cell(one.at("policy"))};
    if (!all_open) row.push_back(state(one));
    row.push_back(cell(one.at("accepted")));
    row.push_back(cell(one.at("waiting")));
    table.row(std::move(row));
  }
  return table.text(colour);
}

std::string workers(const object& status, bool colour) {
  Table table;
  for (const char* title : {"SLOT", "WORKER", "PID", "GEN"}) table.column(title, Align::right);
  table.column("STATE", Align::left);
  for (const char* title : {"ACTIVE", "PENDING", "TAKEN", "REQUESTS", "UP"}) {
    table.column(title, Align::right);
  }
  for (const value& one : status.at("workers").as_array()) {
    table.row({cell(one.at("slot")), cell(one.at("id")), cell(one.at("pid")),
               cell(one.at("generation")), cell(one.at("state")), cell(one.at("active")),
               cell(one.at("pending")), cell(one.at("taken")), cell(one.at("requests")),
               age(one.at("uptime_s").to_number<double>())});
  }
  return table.text(colour);
}

/// The last lines of what a worker wrote before it died.
std::string last_lines(const value& text) {
  constexpr std::size_t kMost = 5;
  if (!text.is_string()) return "";
  std::string_view rest(text.as_string());
  std::vector<std::string> lines;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    lines.push_back("    " + config::escaped(rest.substr(0, end)) + "\n");
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  std::string result;
  for (std::size_t at = lines.size() - std::min(lines.size(), kMost); at < lines.size(); ++at) {
    result += lines[at];
  }
  return result;
}

bool has_ready_worker(const object& status, const value& slot) {
  const auto& all = status.at("workers").as_array();
  return std::any_of(all.begin(), all.end(), [&](const value& worker) {
    return worker.at("slot") == slot.at("slot") && worker.at("state") == "ready";
  });
}

/// A slot without a worker that serves, and what the last one died of.
std::string trouble(const object& status, const value& slot) {
  const std::string name = "slot " + cell(slot.at("slot"));
  const object* last = slot.at("last_exit").if_object();
  std::string text;
  if (slot.at("state") == "running") {
    if (last == nullptr || has_ready_worker(status, slot)) return "";
    text = name + " starts again";
  } else {
    text = name + (slot.at("state") == "given_up" ? " is given up" : " has nobody");
  }
  if (slot.at("retry_in_s").is_number()) {
    text += ", next start in " + text_of(slot.at("retry_in_s").to_number<double>());
  }
  if (last == nullptr) return text + "\n";
  return text + "; last worker: " + shown(last->at("reason")) + "\n" +
         last_lines(last->at("stderr"));
}

/// What a worker that leaves is waited for, and until when.
std::string drain(const value& worker) {
  const object* what = worker.at("drain").if_object();
  if (what == nullptr) return "";
  const value* said = what->if_contains("step");  // an older master does not say it
  const value* reason = what->if_contains("reason");
  const std::string step = said == nullptr ? "connections" : cell(*said);
  const std::string connections = cell(what->at("connections"));
  std::string text = "worker " + cell(worker.at("id")) + " (slot " + cell(worker.at("slot")) + ")";
  if (step == "kill") {
    text += " has got KILL";
  } else {
    const bool leaves = step == "exit";
    if (leaves) {
      text += " is to end";
    } else if (connections == "0") {
      text += " is about to leave";
    } else {
      text += " waits for " + counted(what->at("connections"), "connection");
    }
    text += std::string(leaves ? "; KILL" : "; TERM") + " in " +
            text_of(what->at("deadline_s").to_number<double>());
  }
  return text + (reason == nullptr ? "" : ": " + shown(*reason)) + "\n";
}

/// What it says of itself.
std::string word(const value& worker) {
  const value* says = worker.as_object().if_contains("says");
  if (says == nullptr || !says->is_string()) return "";
  return "worker " + cell(worker.at("id")) + " says: " + shown(*says) + "\n";
}

/// What the tables cannot show.
std::string remarks(const object& status) {
  std::string text;
  for (const value& worker : status.at("workers").as_array()) text += word(worker);
  for (const value& worker : status.at("workers").as_array()) text += drain(worker);
  for (const value& slot : status.at("slots").as_array()) text += trouble(status, slot);
  return text.empty() ? text : "\n" + text;
}

}  // namespace

std::string status_text(const object& status, bool colour) {
  return head(status, colour) + "\n" + listeners(status, colour) + "\n" + workers(status, colour) +
         remarks(status);
}

}  // namespace clusterd::ctl
