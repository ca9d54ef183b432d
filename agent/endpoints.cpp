#include "agent/endpoints.h"

#include <utility>

namespace clusterd::agent {
namespace {

constexpr std::string_view kPlain = "text/plain; charset=utf-8";
constexpr std::string_view kPrometheus = "text/plain; version=0.0.4; charset=utf-8";
constexpr unsigned kOk = 200;
constexpr unsigned kUnavailable = 503;

}  // namespace

Endpoint endpoint_of(std::string_view target) {
  target = target.substr(0, target.find('?'));
  if (target == "/healthz") return Endpoint::health;
  if (target == "/readyz") return Endpoint::ready;
  if (target == "/metrics") return Endpoint::metrics;
  return Endpoint::none;
}

Answer plain(unsigned status, std::string text) {
  return {status, kPlain, std::make_shared<const std::string>(std::move(text) + "\n")};
}

Answer answer_to(Endpoint endpoint, const std::optional<View>& view) {
  if (endpoint == Endpoint::none) return plain(404, "there are /healthz, /readyz and /metrics");
  if (!view) return plain(kUnavailable, "the master does not answer");
  switch (endpoint) {
    case Endpoint::ready:
      return plain(view->ready ? kOk : kUnavailable, view->reason);
    case Endpoint::metrics:
      if (!view->metrics) return plain(kUnavailable, "the master has no room for the metrics");
      return {kOk, kPrometheus, view->metrics};
    case Endpoint::health:
    case Endpoint::none:
      break;
  }
  return plain(kOk, "ok");
}

}  // namespace clusterd::agent
