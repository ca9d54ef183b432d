#pragma once

#include "tests/support/cluster.h"
#include "tests/support/local_server.h"

#include <boost/json/object.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <sys/types.h>
#include <vector>

namespace clusterd::test {

/// One way to run a Node program: which Node, and how connections come to its workers.
struct NodeSetting {
  std::string node;  ///< the program
  std::string policy;

  [[nodiscard]] bool round_robin() const { return policy == "round-robin"; }
  [[nodiscard]] std::string text() const { return node + ", " + policy; }
};

/// Node 20 in both policies; with CLUSTERD_NODE_MATRIX=1 also 18, 22 and 24, which
/// tests/node/install fetches then.
[[nodiscard]] std::vector<NodeSetting> node_settings();
/// The pinned Node 20. Throws if tests/node/install has not been run.
[[nodiscard]] std::string node_program();
/// What npm has installed beside it.
[[nodiscard]] std::string node_modules();
/// A program of tests/node/apps.
[[nodiscard]] std::string node_app(const std::string& name);
/// JSON as it stands between the quotes of a string in app.conf.
[[nodiscard]] std::string in_quotes(const std::string& text);
/// A file of examples/.
[[nodiscard]] std::string example(const std::string& name);

struct NodeOptions {
  std::string app;        ///< in tests/node/apps, or a whole path
  std::string options{};  ///< JSON, after the name of the file that it tells us by
  unsigned workers = 2;
  unsigned servers = 1;              ///< how often each worker says "listening" at the start
  std::vector<std::string> flags{};  ///< Node's own, before the program
  std::string worker_keys{};         ///< more lines of [worker]
  std::string listen_keys{};         ///< more lines of [[listen]]
  std::string address = "127.0.0.1:0";
  std::string more{};  ///< more tables
};

/// Whether CLUSTERD_TEST_NODE_PRIMARY is set.
[[nodiscard]] bool under_other_primary();

/// A Node program under clusterd, which tells us by lines in a file what it sees (apps/say.js).
///
/// With CLUSTERD_TEST_NODE_PRIMARY="COMMAND" it runs under another primary instead, as
/// `COMMAND --policy rr|none -n WORKERS -- node APP ...`, to see whether a scenario is right
/// (tests/node/primary.js is Node's own). What only clusterd does is not looked at then.
class NodeApp {
 public:
  using Line = boost::json::object;

  NodeApp(const NodeSetting& setting, const NodeOptions& options);

  [[nodiscard]] bool by_clusterd() const { return cluster_ != nullptr; }
  [[nodiscard]] Cluster& cluster() { return *cluster_; }
  /// The process that hands out connections.
  [[nodiscard]] Program& primary() { return cluster_ ? cluster_->master() : *other_; }

  /// What was said so far, of this kind; by one process if that is given.
  [[nodiscard]] std::vector<Line> said(const std::string& what, pid_t by = 0) const;
  /// Waits until it was said so often; throws if it is not.
  // NOLINTNEXTLINE(modernize-use-nodiscard): to have waited is mostly enough.
  std::vector<Line> await(const std::string& what, std::size_t count = 1, pid_t by = 0,
                          std::chrono::milliseconds deadline = std::chrono::seconds(20)) const;
  /// Where a server of the program listens, as the first worker sees it.
  [[nodiscard]] boost::json::value address(std::int64_t server = -1) const;
  [[nodiscard]] std::uint16_t port(std::int64_t server = -1) const;
  /// Those that said that they listen, and live.
  [[nodiscard]] std::vector<pid_t> pids() const;
  /// As many live and listen, and `without` is none of them; under clusterd all are ready.
  [[nodiscard]] bool whole(std::size_t workers, pid_t without = 0) const;

  /// Asks it to stop, and waits for its end: true if it went well.
  [[nodiscard]] bool stop();

 private:
  TempDir dir_;
  std::unique_ptr<Cluster> cluster_;
  std::unique_ptr<Program> other_;
};

/// A worker of tests/node/apps/listens.js and the like: all that a server says at `address`, which
/// is as Node gives it: an object, or the path of a Unix socket. "" if nobody is there.
[[nodiscard]] std::string read_from(const boost::json::value& address, const std::string& say = "");

}  // namespace clusterd::test
