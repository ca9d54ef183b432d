#include "master/runtime/inherited.h"

#include "common/environment.h"
#include "config/templates.h"
#include "config/words.h"
#include "master/runtime/generations.h"

#include <algorithm>
#include <cstddef>

namespace clusterd::runtime {
namespace {

/// As sd_listen_fds_with_names(3) takes it: they stand in one list, with colons between them.
std::string fd_name(const std::string& name) {
  std::string result = name;
  for (char& c : result) {
    const bool fits = config::is_letter(c) || config::is_digit(c) || c == '.' || c == '-';
    if (!fits) c = '_';
  }
  return result;
}

std::string value_of(const config::Template& one, const core::Spawn& spawn,
                     const std::vector<InheritedListener>& inherited) {
  using Kind = config::Template::Kind;
  if (one.kind == Kind::slot) return std::to_string(number_of(spawn.slot));
  if (one.kind == Kind::worker) return std::to_string(spawn.child.number);
  const auto found = std::find_if(inherited.begin(), inherited.end(),
                                  [&](const auto& each) { return each.name == one.listener; });
  if (found == inherited.end()) return "";  // refused when app.conf was read
  if (one.kind == Kind::fd) return std::to_string(kChannelFd + (found - inherited.begin()));
  return one.kind == Kind::port ? found->port : found->address;
}

}  // namespace

std::vector<InheritedListener> inherited_by(config::Protocol protocol,
                                            const Generations& generations, Generation generation) {
  std::vector<InheritedListener> inherited;
  if (protocol != config::Protocol::listen_fds) return inherited;
  for (const core::ListenerIndex index : generations.listeners(generation)) {
    const os::Listener& listener = *generations.listener(index);
    InheritedListener one{generations.listen(index).name, listener.fd(), listener.text(), ""};
    if (listener.has_ports()) {
      one.address = listener.address().text();
      one.port = std::to_string(listener.address().port());
    } else {
      one.address = one.address.substr(one.address.find(':') + 1);  // without "unix:"
    }
    inherited.push_back(std::move(one));
  }
  return inherited;
}

void inherit(os::SpawnSpec& spec, Environment& env, const config::Worker& worker,
             const core::Spawn& spawn, const std::vector<InheritedListener>& inherited) {
  const auto filled_in = [&](const std::string& text) {
    return config::filled_in(
        text, [&](const config::Template& one) { return value_of(one, spawn, inherited); });
  };
  for (std::string& word : spec.argv) word = filled_in(word);
  for (const auto& [name, value] : worker.env) env[name] = filled_in(value);
  spec.death_signal = worker.drain_signal;
  if (inherited.empty()) return;

  std::string names;
  for (const InheritedListener& one : inherited) {
    spec.inherited.push_back(one.fd);
    if (one.name == worker.stdin_listener) spec.input = one.fd;
    names += (names.empty() ? "" : ":") + fd_name(one.name);
  }
  env["LISTEN_FDS"] = std::to_string(inherited.size());
  env["LISTEN_FDNAMES"] = names;
  spec.pid_variable = "LISTEN_PID";
}

}  // namespace clusterd::runtime
