#pragma once

#include "master/runtime/dispatcher.h"
#include "master/runtime/offer_lane.h"

#include <memory>
#include <utility>

namespace clusterd::test {

/// A native worker joins the dispatcher; its ends of the lane.
inline Result<runtime::OfferLane::WorkerEnds> join_native(runtime::Dispatcher& dispatcher,
                                                          ChildId child, SlotId slot = {}) {
  auto lane = runtime::OfferLane::create(dispatcher.window());
  if (!lane) return lane.error();
  auto ends = lane->take_worker_ends();
  auto joined =
      dispatcher.join(child, slot, std::make_unique<runtime::OfferLane>(std::move(*lane)));
  if (!joined) return joined.error();
  return ends;
}

}  // namespace clusterd::test
