#include "master/runtime/untold.h"

#include <doctest/doctest.h>

namespace clusterd::runtime {

TEST_CASE("a sender hears each high and each low in turn, or neither") {
  Untold untold;
  untold.pressure(7, true);
  untold.pressure(7, false);
  CHECK(untold.empty());
  untold.pressure(7, true);
  CHECK(untold.take() == encode(protocol::Pressure{7, true}));
  untold.pressure(7, false);
  untold.pressure(7, true);
  CHECK(untold.empty());
  untold.pressure(7, false);
  untold.pressure(8, true);
  CHECK(untold.take() ==
        encode(protocol::Pressure{7, false}) + encode(protocol::Pressure{8, true}));
}

TEST_CASE("what was not delivered is summed up, without an action if they differ") {
  Untold untold;
  untold.undelivered("a", 1, 0);
  untold.undelivered("a", 2, 5);
  CHECK(untold.take() == encode(protocol::Undelivered{"a", 3, {5}}));
  untold.undelivered("a", 1, 0);
  untold.undelivered("b", 1, 0);
  untold.gone(9);
  CHECK(untold.take() == encode(protocol::Undelivered{"", 2, {}}) + encode(protocol::Gone{{9}}));
  CHECK(untold.empty());
}

}  // namespace clusterd::runtime
