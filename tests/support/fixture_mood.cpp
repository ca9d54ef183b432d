#include "tests/support/fixture_mood.h"

#include <cstdlib>
#include <fstream>
#include <map>

namespace clusterd::test {
namespace {

std::map<std::string, std::string> read_file_of_moods() {
  std::map<std::string, std::string> moods;
  const char* path = std::getenv("FIXTURE_MOOD_FILE");
  if (path == nullptr) return moods;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const std::size_t equals = line.find('=');
    if (equals != std::string::npos) moods[line.substr(0, equals)] = line.substr(equals + 1);
  }
  return moods;
}

}  // namespace

std::string mood(const std::string& name) {
  static const auto moods = read_file_of_moods();
  const auto found = moods.find("FIXTURE_" + name);
  if (found != moods.end()) return found->second;
  const char* value = std::getenv(("FIXTURE_" + name).c_str());
  return value == nullptr ? "" : value;
}

}  // namespace clusterd::test
