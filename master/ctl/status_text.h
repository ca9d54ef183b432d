#pragma once

#include <boost/json/object.hpp>

#include <string>

namespace clusterd::ctl {

/// The status of a master as a person reads it: a line about the cluster, a table of its listeners
/// and one of its workers, and what needs attention.
[[nodiscard]] std::string status_text(const boost::json::object& status, bool colour);

}  // namespace clusterd::ctl
