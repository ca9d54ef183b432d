#include "config/parse_restart.h"

#include "config/choices.h"

#include <cstddef>

namespace clusterd::config {
namespace {

using Zero = TomlReader::Zero;

void read_limit(TomlReader& reader, Restart& restart) {
  const toml::node* node = reader.find("limit");
  if (node != nullptr && node->value<std::string_view>() == "auto") return;
  reader.integer("limit", {1, 100'000}, restart.limit, R"("auto" or )");
}

void read_backoff(TomlReader& reader, Restart& restart, Mistakes& mistakes) {
  const toml::table* table = reader.table("backoff");
  if (table == nullptr) return;
  TomlReader backoff(*table, "restart.backoff", mistakes);
  backoff.check_keys();
  const std::size_t before = mistakes.size();
  backoff.duration("first", Zero::refused, restart.backoff_first);
  backoff.duration("max", Zero::refused, restart.backoff_max);
  if (mistakes.size() > before || restart.backoff_first <= restart.backoff_max) return;
  const std::string_view key = backoff.find("max") == nullptr ? "first" : "max";
  reader.blame(backoff.place(key),
               R"(restart.backoff: first is longer than max (defaults: "100ms" and "10s"))");
}

}  // namespace

Restart read_restart(TomlReader& top, Mistakes& mistakes) {
  Restart restart;
  const toml::table* table = top.table("restart");
  if (table == nullptr) return restart;
  TomlReader reader(*table, "restart", mistakes);
  reader.check_keys();
  read_limit(reader, restart);
  reader.duration("window", Zero::refused, restart.window);
  read_backoff(reader, restart, mistakes);
  reader.choice<OnGiveup>("on_giveup", "answer to a give-up", kOnGiveups, restart.on_giveup);
  reader.duration("giveup_retry", Zero::refused, restart.giveup_retry);
  return restart;
}

Reload read_reload(TomlReader& top, Mistakes& mistakes) {
  Reload reload;
  const toml::table* table = top.table("reload");
  if (table == nullptr) return reload;
  TomlReader reader(*table, "reload", mistakes);
  reader.check_keys();
  reader.integer("surge", {0, 1024}, reload.surge);
  reader.integer("max_unavailable", {0, 1024}, reload.max_unavailable);
  reader.integer("max_generations", {2, 100}, reload.max_generations);
  reader.duration("settle", Zero::allowed, reload.settle);
  if (reload.surge == 0 && reload.max_unavailable == 0) {
    reader.blame(reader.place("surge"),
                 "reload: surge and max_unavailable are both 0: there may be neither a worker more "
                 "nor one less, so none could be replaced");
  }
  return reload;
}

}  // namespace clusterd::config
