#pragma once

#include <boost/json/array.hpp>

#include <string>

namespace clusterd::ctl {

/// The schedules of a master as a person reads them: a table, and why the last run of one failed.
[[nodiscard]] std::string schedule_text(const boost::json::array& schedules, bool colour);

}  // namespace clusterd::ctl
