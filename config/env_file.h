#pragma once

#include "config/mistake.h"

#include <map>
#include <string>
#include <string_view>

namespace clusterd::config {

/// Reads the text of an env_file, which mistakes call `name`, and adds its variables to
/// `variables`; one that is there already gets the new value.
///
///   file   = *(line end)           end is LF, CR LF or the end of the text
///   line   = blanks [("#" / ";") anything]
///          / blanks ["export" blanks] name blanks "=" blanks value
///   name   = letters, digits and "_", no digit first; not CLUSTERD_...
///   value  = 1*quoted blanks / plain
///   quoted = "'" *(any but "'") "'"
///          / DQUOTE *(any but DQUOTE / escape) DQUOTE
///   escape = "\" before DQUOTE, "\", "`" or "$" is that one, before LF nothing at all, and before
///            any other both of them
///   plain  = what is left of the line, without blanks at its end; "\" takes the next one as it
///            is, and with LF it is nothing at all
///
/// A "#" in a value belongs to it, and nothing is expanded. But for "export", systemd's
/// EnvironmentFile= means the same wherever this grammar gives a value; where it gives none there
/// is a mistake here.
void parse_env_file(const std::string& name, std::string_view text,
                    std::map<std::string, std::string>& variables, Mistakes& mistakes);

}  // namespace clusterd::config
