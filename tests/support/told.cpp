#include "tests/support/told.h"

#include "tests/support/eventually.h"

#include <boost/json/parse.hpp>

#include <algorithm>
#include <ctime>
#include <set>
#include <sstream>
#include <stdexcept>

namespace clusterd::test {
namespace {

bool matches(const Told& event, const std::string& name, const Told& members) {
  if (!name.empty() && event.at("event").as_string() != name) return false;
  return std::all_of(members.begin(), members.end(), [&](const auto& member) {
    return event.contains(member.key()) && event.at(member.key()) == member.value();
  });
}

}  // namespace

std::vector<Told> told(const Cluster& cluster, const std::string& name, const Told& members) {
  std::vector<Told> result;
  std::istringstream lines(cluster.verb({"events"}).out);
  for (std::string line; std::getline(lines, line);) {
    Told event = boost::json::parse(line).as_object();
    if (matches(event, name, members)) result.push_back(std::move(event));
  }
  return result;
}

Told told_first(const Cluster& cluster, const std::string& name, const Told& members,
                std::chrono::milliseconds deadline) {
  std::vector<Told> events;
  if (!eventually([&] { return !(events = told(cluster, name, members)).empty(); }, deadline)) {
    throw std::runtime_error("no event " + name + ":\n" + cluster.log());
  }
  return events.front();
}

std::chrono::milliseconds time_of(const Told& event) {
  const std::string text(event.at("time").as_string());
  std::tm parts{};
  const char* rest = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  if (rest == nullptr || *rest != '.') throw std::runtime_error("no time: " + text);
  return std::chrono::seconds(::timegm(&parts)) + std::chrono::milliseconds(std::stoi(rest + 1));
}

int fewest_ready(const Cluster& cluster) {
  std::set<std::int64_t> ready;
  bool begun = false;
  std::size_t fewest = 1'000'000;
  for (const Told& event : told(cluster)) {
    const std::string name(event.at("event").as_string());
    if (name == "ready" && event.at("role") == "master") begun = true;
    if (event.at("role") == "worker") {
      const std::int64_t worker = event.at("worker").as_int64();
      if (name == "ready") ready.insert(worker);
      if (name == "drain" || name == "suicide" || name == "hang" || name == "exit") {
        ready.erase(worker);
      }
    }
    if (begun) fewest = std::min(fewest, ready.size());
  }
  return static_cast<int>(fewest);
}

}  // namespace clusterd::test
