#include "worker/src/complain.h"

#include <algorithm>
#include <cstddef>
#include <unistd.h>

namespace clusterd::detail {

std::string text_of(const std::exception_ptr& exception) {
  try {
    std::rethrow_exception(exception);
  } catch (const std::exception& error) {
    return error.what();
  } catch (const std::string& text) {
    return text;
  } catch (const char* text) {
    return text;
  } catch (...) {
    return "something that is no std::exception";
  }
}

void complain(std::string text) {
  constexpr std::size_t kLongest = 2048;
  if (text.size() > kLongest) text.resize(kLongest);
  const auto is_control = [](char byte) { return static_cast<unsigned char>(byte) < ' '; };
  std::replace_if(text.begin(), text.end(), is_control, ' ');
  text = "clusterd: " + text + "\n";
  (void)!::write(STDERR_FILENO, text.data(), text.size());
}

}  // namespace clusterd::detail
