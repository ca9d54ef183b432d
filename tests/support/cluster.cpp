#include "tests/support/cluster.h"

#include "tests/support/eventually.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

#include <algorithm>
#include <sstream>
#include <stdexcept>
#include <sys/stat.h>
#include <unistd.h>

namespace clusterd::test {
namespace {

std::string app_conf(const ClusterOptions& options) {
  std::string command;
  const auto words =
      options.command.empty() ? std::vector<std::string>{http_worker()} : options.command;
  for (const std::string& word : words) command += (command.empty() ? "\"" : ", \"") + word + "\"";
  std::string top = "name = \"test\"\n";
  if (!options.pidfile.empty()) top += "pidfile = \"" + options.pidfile + "\"\n";
  if (!options.stop_delay.empty()) top += "stop_delay = \"" + options.stop_delay + "\"\n";
  return top + "workers = " + std::to_string(options.workers) + "\n" + options.top +
         "[[listen]]\nname = \"http\"\naddress = \"" + options.address + "\"\npolicy = \"" +
         options.policy + "\"\n" + options.listen_keys + "[worker]\ncommand = [" + command + "]\n" +
         options.worker_keys + "\n[control]\nsocket = \"ctl.sock\"\n" + options.control_keys +
         "[log]\nlevel = \"debug\"\n" + options.log_keys +
         // Most tests kill more workers than is good for a service.
         (options.more.find("[restart]") == std::string::npos ? "[restart]\nlimit = 100000\n"
                                                              : "") +
         options.more;
}

}  // namespace

std::vector<std::string> as(uid_t user, const std::vector<std::string>& argv, gid_t group) {
  std::vector<std::string> whole = {"setpriv", "--reuid", std::to_string(user), "--regid",
                                    std::to_string(user)};
  if (group == 0) {
    whole.emplace_back("--clear-groups");
  } else {
    whole.insert(whole.end(), {"--groups", std::to_string(group)});
  }
  whole.insert(whole.end(), argv.begin(), argv.end());
  return whole;
}

std::string clusterd_program() { return CLUSTERD_TEST_PROGRAM; }
std::string http_worker() { return CLUSTERD_TEST_HTTP_WORKER; }
std::string echo_worker() { return CLUSTERD_TEST_ECHO_WORKER; }
std::string epoll_worker() { return CLUSTERD_TEST_EPOLL_WORKER; }
std::string threads_worker() { return CLUSTERD_TEST_THREADS_WORKER; }
std::string threads_worker_tsan() {
#ifdef CLUSTERD_TEST_THREADS_WORKER_TSAN
  return CLUSTERD_TEST_THREADS_WORKER_TSAN;
#else
  return "";
#endif
}
std::string messages_worker() { return CLUSTERD_TEST_MESSAGES_WORKER; }
std::string cache_example(const std::string& name) {
  return name == "cache-agent" ? CLUSTERD_TEST_CACHE_AGENT : CLUSTERD_TEST_CACHE_WORKER;
}
std::string fixture_agent() { return CLUSTERD_TEST_FIXTURE_AGENT; }
std::string fixture_worker() { return CLUSTERD_TEST_FIXTURE_WORKER; }

Cluster::Cluster(const ClusterOptions& options) {
  dir_.write("app.conf", app_conf(options));
  // Others have to get in, to whatever its mode is.
  if (!options.top.empty() || !options.control_keys.empty() || options.as != 0) {
    (void)!::chmod(dir_.path().c_str(), 0755);
  }
  std::vector<std::string> argv = options.under;
  argv.insert(argv.end(), {clusterd_program(), "start", conf()});
  if (options.as != 0) {
    (void)!::chown(dir_.path().c_str(), options.as, options.as);
    argv = as(options.as, argv);
  }
  master_ = std::make_unique<Program>(
      argv, dir_.path("out"), options.err.empty() ? dir_.path("err") : options.err, options.passed);
  if (!options.wait_until_running) return;
  const bool up = eventually([&] { return running(options.workers) || !master_->running(); },
                             std::chrono::seconds(30));
  if (!up || !master_->running()) throw std::runtime_error("the cluster did not start:\n" + log());
}

std::uint16_t Cluster::port() {
  if (port_ != 0) return port_;
  const auto now = status();
  if (!now) throw std::runtime_error("no status:\n" + log());
  const std::string address(now->at("listeners").as_array().at(0).at("address").as_string());
  port_ = static_cast<std::uint16_t>(std::stoul(address.substr(address.rfind(':') + 1)));
  return port_;
}

Finished Cluster::verb(std::vector<std::string> words) const {
  words.insert(words.begin(), clusterd_program());
  words.push_back(conf());
  return run(words);
}

std::optional<boost::json::value> Cluster::status() const {
  const Finished asked = verb({"status", "--json"});
  if (asked.code != 0) return std::nullopt;
  return boost::json::parse(asked.out);
}

std::size_t Cluster::fds() const {
  // In this list what the master has accepted bears the path of what it accepted from.
  const auto alone = [&] {
    std::istringstream list(read_file("/proc/net/unix"));
    int sockets = 0;
    for (std::string line; std::getline(list, line);) sockets += line.ends_with(" " + control());
    return sockets == 1;
  };
  if (!eventually(alone, std::chrono::seconds(20))) throw std::runtime_error("a verb goes on");
  return count_fds(master_->pid());
}

std::optional<Counts> Cluster::counts() const {
  const auto now = status();
  if (!now) return std::nullopt;
  Counts counts;
  const auto& listener = now->at("listeners").as_array().at(0);
  counts.accepted = listener.at("accepted").as_int64();
  counts.waiting = listener.at("waiting").as_int64();
  counts.expired = listener.at("expired").as_int64();
  for (const auto& worker : now->at("workers").as_array()) {
    counts.workers.push_back({static_cast<pid_t>(worker.at("pid").as_int64()),
                              worker.at("active").as_int64(), worker.at("pending").as_int64(),
                              worker.at("taken").as_int64()});
  }
  return counts;
}

std::vector<pid_t> Cluster::workers() const {
  std::vector<pid_t> pids;
  const auto now = status();
  if (!now) return pids;
  for (const auto& worker : now->at("workers").as_array()) {
    if (worker.at("state") == "ready")
      pids.push_back(static_cast<pid_t>(worker.at("pid").as_int64()));
  }
  return pids;
}

bool Cluster::replaced(const std::vector<pid_t>& old, std::size_t others) const {
  const auto now = workers();
  return now.size() == others &&
         std::find_first_of(now.begin(), now.end(), old.begin(), old.end()) == now.end();
}

pid_t Cluster::agent() const {
  const auto now = status();
  if (!now || !now->at("agent").is_object()) return 0;
  return static_cast<pid_t>(now->at("agent").at("pid").as_int64());
}

bool Cluster::running(unsigned ready) const {
  const auto now = status();
  return now && now->at("state") == "running" && workers().size() == ready;
}

}  // namespace clusterd::test
