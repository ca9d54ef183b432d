#include "master/ctl/status_text.h"

#include "config/words.h"
#include "master/ctl/table.h"

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>
#include <boost/json/value_to.hpp>

#include <cstdio>
#include <string_view>

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

/// "4d 3h", "2h 5m", "7m 3s", "12s": the two units that matter.
std::string age(const value& content) {
  const auto total = static_cast<long>(content.to_number<double>());
  const long days = total / 86400;
  const long hours = total / 3600 % 24;
  const long minutes = total / 60 % 60;
  char text[64];
  if (days > 0) {
    std::snprintf(text, sizeof text, "%ldd %ldh", days, hours);
  } else if (hours > 0) {
    std::snprintf(text, sizeof text, "%ldh %ldm", hours, minutes);
  } else if (minutes > 0) {
    std::snprintf(text, sizeof text, "%ldm %lds", minutes, total % 60);
  } else {
    std::snprintf(text, sizeof text, "%lds", total);
  }
  return text;
}

std::string painted(std::string_view state, bool colour) {
  std::string text(state);
  if (!colour) return text;
  if (state == "running") return "\x1b[32m" + text + "\x1b[0m";
  return "\x1b[33m" + text + "\x1b[0m";
}

std::string head(const object& status, bool colour) {
  const object& master = status.at("master").as_object();
  std::size_t ready = 0;
  const auto& workers = status.at("workers").as_array();
  for (const value& worker : workers) {
    if (worker.at("state") == "ready") ++ready;
  }
  std::string text = cell(status.at("name")) + ": " + painted(cell(status.at("state")), colour) +
                     ", " + std::to_string(ready) + " of " +
                     std::to_string(status.at("slots").as_array().size()) + " workers ready, up " +
                     age(master.at("uptime_s")) + "\n";
  text += "master pid " + cell(master.at("pid")) + " (clusterd " + cell(master.at("version")) + ")";
  if (const auto* agent = status.at("agent").if_object()) {
    text += ", agent pid " + cell(agent->at("pid")) + " " + cell(agent->at("state"));
    if (agent->at("restarts") != 0) text += ", " + cell(agent->at("restarts")) + " restarts";
  } else {
    text += ", no agent";
  }
  return text + "\n";
}

std::string listeners(const object& status, bool colour) {
  Table table;
  for (const char* title : {"LISTENER", "ADDRESS", "POLICY"}) table.column(title, Align::left);
  for (const char* title : {"ACCEPTED", "WAITING"}) table.column(title, Align::right);
  for (const value& one : status.at("listeners").as_array()) {
    table.row({cell(one.at("name")), cell(one.at("address")), cell(one.at("policy")),
               cell(one.at("accepted")), cell(one.at("waiting"))});
  }
  return table.text(colour);
}

std::string workers(const object& status, bool colour) {
  Table table;
  table.column("SLOT", Align::right);
  table.column("WORKER", Align::right);
  table.column("PID", Align::right);
  table.column("STATE", Align::left);
  for (const char* title : {"ACTIVE", "PENDING", "TAKEN", "REQUESTS", "RESTARTS", "UP"}) {
    table.column(title, Align::right);
  }
  for (const value& one : status.at("workers").as_array()) {
    table.row({cell(one.at("slot")), cell(one.at("id")), cell(one.at("pid")), cell(one.at("state")),
               cell(one.at("active")), cell(one.at("pending")), cell(one.at("taken")),
               cell(one.at("requests")), cell(one.at("restarts")), age(one.at("uptime_s"))});
  }
  return table.text(colour);
}

/// The last three lines that a worker wrote: anything, and fit to be shown.
std::string last_words(const value& words) {
  if (!words.is_string()) return "";
  std::string_view rest(words.as_string());
  std::string text;
  for (int line = 0; line < 3 && !rest.empty(); ++line) {
    if (rest.ends_with('\n')) rest.remove_suffix(1);
    const std::size_t start = rest.rfind('\n') + 1;  // 0 if there is none
    text.insert(0, "  " + config::escaped(rest.substr(start)) + "\n");
    rest = rest.substr(0, start);
  }
  return text;
}

/// What an operator should look at: slots without a worker, and what the last one died of.
std::string attention(const object& status) {
  std::string text;
  for (const value& slot : status.at("slots").as_array()) {
    if (slot.at("state") == "running") continue;
    text += "slot " + cell(slot.at("slot")) + " " + cell(slot.at("state"));
    if (slot.at("retry_in_s").is_double()) {
      char when[48];
      std::snprintf(when, sizeof when, ", next start in %.1f s", slot.at("retry_in_s").as_double());
      text += when;
    }
    if (const auto* last = slot.at("last_exit").if_object()) {
      text += ": its last worker " + config::escaped(cell(last->at("reason"))) + "\n";
      text += last_words(last->at("stderr"));
    } else {
      text += "\n";
    }
  }
  return text.empty() ? text : "\n" + text;
}

std::string drains(const object& status) {
  std::string text;
  for (const value& worker : status.at("workers").as_array()) {
    const auto* drain = worker.at("drain").if_object();
    if (drain == nullptr) continue;
    char line[128];
    std::snprintf(line, sizeof line, "worker %s waits for %s connections, at most %.1f s more\n",
                  cell(worker.at("id")).c_str(), cell(drain->at("connections")).c_str(),
                  drain->at("deadline_s").to_number<double>());
    text += line;
  }
  return text.empty() ? text : "\n" + text;
}

}  // namespace

std::string status_text(const object& status, bool colour) {
  return head(status, colour) + "\n" + listeners(status, colour) + "\n" + workers(status, colour) +
         drains(status) + attention(status);
}

}  // namespace clusterd::ctl
