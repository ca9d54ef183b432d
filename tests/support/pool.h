#pragma once

#include "tests/support/cluster.h"
#include "tests/support/http.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

#include <algorithm>
#include <cstdint>
#include <set>
#include <sstream>
#include <string>
#include <sys/socket.h>
#include <vector>

/// The pool of a real daemon as its status, its events and its answers show it.
namespace clusterd::test {

/// One look at the workers.
struct Pool {
  struct Worker {
    std::int64_t slot = 0;
    std::int64_t id = 0;
    std::int64_t generation = 0;
    pid_t pid = 0;
    std::string state;
  };
  std::vector<Worker> workers;
  std::int64_t slots = 0;
  std::string state;  ///< of the cluster; empty: there was no answer

  [[nodiscard]] std::int64_t count(const std::string& worker_state) const {
    return std::count_if(workers.begin(), workers.end(),
                         [&](const Worker& worker) { return worker.state == worker_state; });
  }
  [[nodiscard]] std::int64_t ready() const { return count("ready"); }
  /// Forked, and not ready yet.
  [[nodiscard]] std::int64_t starting() const { return count("spawned") + count("online"); }
  /// Nobody starts, nobody leaves, and each slot from 0 to n-1 has one worker.
  [[nodiscard]] bool quiet(std::int64_t n) const {
    std::set<std::int64_t> taken;
    for (const Worker& worker : workers) taken.insert(worker.slot);
    return state == "running" && slots == n && ready() == n &&
           static_cast<std::int64_t>(workers.size()) == n &&
           static_cast<std::int64_t>(taken.size()) == n && *taken.rbegin() == n - 1;
  }
  [[nodiscard]] bool has(pid_t pid) const {
    return std::any_of(workers.begin(), workers.end(),
                       [&](const Worker& worker) { return worker.pid == pid; });
  }
  /// 0 if nobody is ready there.
  [[nodiscard]] pid_t ready_in(std::int64_t slot) const {
    for (const Worker& worker : workers) {
      if (worker.slot == slot && worker.state == "ready") return worker.pid;
    }
    return 0;
  }
};

[[nodiscard]] inline Pool pool_of(const Cluster& cluster) {
  Pool pool;
  const auto status = cluster.status();
  if (!status) return pool;
  pool.state = std::string(status->at("state").as_string());
  pool.slots = static_cast<std::int64_t>(status->at("slots").as_array().size());
  for (const auto& worker : status->at("workers").as_array()) {
    pool.workers.push_back({worker.at("slot").as_int64(), worker.at("id").as_int64(),
                            worker.at("generation").as_int64(),
                            static_cast<pid_t>(worker.at("pid").as_int64()),
                            std::string(worker.at("state").as_string())});
  }
  return pool;
}

/// Those that the master keeps, oldest first.
[[nodiscard]] inline std::vector<boost::json::object> events_of(const Cluster& cluster) {
  std::vector<boost::json::object> events;
  std::istringstream lines(cluster.verb({"events"}).out);
  for (std::string line; std::getline(lines, line);) {
    events.push_back(boost::json::parse(line).as_object());
  }
  return events;
}

/// The number after "NAME is " in the fixture's answer; -1 if there is none.
[[nodiscard]] inline std::int64_t number_in(const std::string& body, const std::string& name) {
  const std::size_t at = body.find(name + " is ");
  return at == std::string::npos ? -1 : std::stol(body.substr(at + name.size() + 4));
}

/// Asks the fixture for something; the answer's body.
[[nodiscard]] inline Reply ask(std::uint16_t port, const std::string& target) {
  Client client(port);
  const std::string request = "GET /" + target + " HTTP/1.1\r\nConnection: close\r\n\r\n";
  (void)!::send(client.fd(), request.data(), request.size(), MSG_NOSIGNAL);
  return client.read_to_end(std::chrono::seconds(10));
}

}  // namespace clusterd::test
