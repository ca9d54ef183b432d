// Reads names of files, one a line, and says of each whether it is JSON: "yes", "no", or "limit"
// where only a limit of ours speaks against it.
#include "common/json.h"

#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>

namespace {

std::string read(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

const char* verdict(const std::string& text) {
  clusterd::JsonError error;
  if (clusterd::check_json(text, &error)) return "yes";
  const std::string_view what = error.what;
  return what == "nested too deeply" || what == "too many members" ? "limit" : "no";
}

}  // namespace

int main() {
  std::string file;
  while (std::getline(std::cin, file)) std::puts(verdict(read(file)));
}
