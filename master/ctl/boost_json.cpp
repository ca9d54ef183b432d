// Boost.JSON, compiled into the client verbs once.
#include <boost/json/src.hpp>
