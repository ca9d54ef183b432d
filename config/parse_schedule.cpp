#include "config/parse_schedule.h"

#include "common/envelope.h"
#include "config/choices.h"
#include "config/parse_program.h"

#include <set>
#include <string_view>

namespace clusterd::config {
namespace {

using Target = Schedule::Target;

constexpr Duration kShortestInterval = std::chrono::milliseconds(100);
constexpr std::size_t kLongestAction = 256;

bool has_channel(Protocol protocol) {
  return protocol != Protocol::listen_fds && protocol != Protocol::none;
}

class ScheduleReader {
 public:
  ScheduleReader(const Settings& settings, const Surroundings& surroundings, Mistakes& mistakes)
      : settings_(settings), surroundings_(surroundings), mistakes_(mistakes) {}

  [[nodiscard]] Schedule read(const toml::table& table);

 private:
  void read_name(TomlReader& reader, Schedule& schedule);
  void read_when(TomlReader& reader, Schedule& schedule);
  void read_message(TomlReader& reader, Schedule& schedule);
  void read_command(TomlReader& reader, Schedule& schedule);

  const Settings& settings_;
  const Surroundings& surroundings_;
  Mistakes& mistakes_;
  std::set<std::string, std::less<>> names_;
};

Schedule ScheduleReader::read(const toml::table& table) {
  TomlReader reader(table, "schedule", mistakes_);
  reader.check_keys();
  Schedule schedule;
  read_name(reader, schedule);
  read_when(reader, schedule);
  reader.boolean("immediate", schedule.immediate);
  reader.choice<Schedule::Overlap>("overlap", "overlap", kOverlaps, schedule.overlap);
  reader.duration("timeout", TomlReader::Zero::allowed, schedule.timeout);
  read_message(reader, schedule);
  read_command(reader, schedule);
  return schedule;
}

void ScheduleReader::read_name(TomlReader& reader, Schedule& schedule) {
  constexpr std::string_view kRule = "1 to 64 of A-Z a-z 0-9 . _ -, the first of them not a dot";
  if (reader.find("name") == nullptr) {
    return reader.blame(reader.place(), "schedule.name is missing");
  }
  const std::optional<std::string> name = reader.string("name");
  if (!name) return;
  schedule.name = *name;
  schedule.action = *name;
  if (!is_cluster_name(*name)) return reader.wrong("name", kRule, *reader.find("name"));
  if (names_.insert(*name).second) return;
  reader.blame("name", "two schedules are named " + in_quotes(*name) + "; give each its own name");
}

void ScheduleReader::read_when(TomlReader& reader, Schedule& schedule) {
  const bool both = reader.find("every") != nullptr && reader.find("cron") != nullptr;
  const bool none = reader.find("every") == nullptr && reader.find("cron") == nullptr;
  if (both) reader.blame("cron", "there is every as well; one of the two says when");
  if (none) {
    reader.blame(reader.place(),
                 "schedule: expected every = \"10m\" or cron = \"0 0 * * *\", which say when");
  }
  Duration every = kShortestInterval;
  reader.duration("every", TomlReader::Zero::refused, every);
  if (every < kShortestInterval) {
    reader.blame("every", "must be at least " + in_quotes(duration_text(kShortestInterval)));
  }
  if (reader.find("every") != nullptr) schedule.every = every;
  const std::optional<std::string> text = reader.string("cron");
  if (!text) return;
  const auto cron = parse_cron(*text);
  schedule.cron_text = *text;
  if (const auto* mistake = std::get_if<CronMistake>(&cron)) {
    return reader.blame("cron", mistake->what + ", at column " + std::to_string(mistake->column) +
                                    " of " + in_quotes(*text, 100));
  }
  schedule.cron = std::get<Cron>(cron);
}

void ScheduleReader::read_message(TomlReader& reader, Schedule& schedule) {
  reader.choice<Target>("target", "target", kTargets, schedule.target);
  if (const auto action = reader.string("action", "a text that is not empty")) {
    schedule.action = *action;
    if (action->empty() || action->size() > kLongestAction) {
      reader.wrong("action", "a text of 1 to " + std::to_string(kLongestAction) + " bytes",
                   *reader.find("action"));
    }
  }
  constexpr std::string_view kJson = R"(JSON in a string, as in '{"full": true}')";
  const std::optional<std::string> data = reader.string("data", kJson);
  if (!data) return;
  JsonError wrong;
  if (data->size() > kMostScheduleData) {
    reader.blame("data", "has more than " + bytes_text(kMostScheduleData));
  } else if (auto line = on_one_line(*data, &wrong)) {
    schedule.data = std::move(*line);
  } else {
    reader.blame("data", "is no JSON: " + std::string(wrong.what) + ", at byte " +
                             std::to_string(wrong.offset + 1) + " of " + in_quotes(*data));
  }
}

void ScheduleReader::read_command(TomlReader& reader, Schedule& schedule) {
  if (auto words = reader.words("command"); words && !words->empty()) {
    for (const std::string_view key : {"target", "action", "data"}) {
      if (reader.find(key) == nullptr) continue;
      reader.blame(key, "is of a message, and with command a program is run instead");
    }
    words->front() =
        read_program(reader, "command", words->front(), settings_.directory, surroundings_);
    schedule.command = std::move(*words);
    schedule.target = Target::command;
  }
  if (schedule.target == Target::agent && !settings_.agent.is_set()) {
    reader.blame("target", "there is no agent program; agent.command says which");
  }
  const bool to_workers = schedule.target == Target::one || schedule.target == Target::all;
  if (!to_workers || has_channel(settings_.worker.protocol)) return;
  reader.blame(
      reader.place("target"), "target",
      "workers whose protocol is \"" +
          std::string(settings_.worker.protocol == Protocol::none ? "none" : "listen-fds") +
          "\" have no channel for a message; set command");
}

}  // namespace

std::vector<Schedule> read_schedules(TomlReader& top, const Settings& settings,
                                     const Surroundings& surroundings, Mistakes& mistakes) {
  constexpr std::string_view kTables = "[[schedule]], an array of tables";
  std::vector<Schedule> schedules;
  const toml::node* node = top.find("schedule");
  if (node == nullptr) return schedules;
  const toml::array* array = node->as_array();
  if (array == nullptr) {
    top.wrong("schedule", kTables, *node);
    return schedules;
  }
  if (array->size() > kMostSchedules) {
    top.blame("schedule", std::to_string(array->size()) + " schedules; there may be " +
                              std::to_string(kMostSchedules));
  }
  ScheduleReader reader(settings, surroundings, mistakes);
  for (const toml::node& element : *array) {
    if (const toml::table* table = element.as_table()) {
      schedules.push_back(reader.read(*table));
    } else {
      top.wrong("schedule", kTables, element);
    }
  }
  return schedules;
}

}  // namespace clusterd::config
