// Waits until the workers have obeyed a generation of the words, and fills the receipt's account of it.
// Internal to the room.
#pragma once

#include <array>

#include "control/link/obedience.h"
#include "control/link/receipt.h"

namespace sekisho::control {

// flows_ended_by_cut of all workers together, before the words were stored.
using FlowBaseline = std::array<std::uint64_t, SEKISHO_MAX_LINKS>;
void read_baseline(Obedience& obedience, const LinkSet& links, FlowBaseline& baseline) noexcept;

// REQUIRES: words of `receipt.generation` are stored and the workers woken. Sets outcome, confirmed_ns,
// workers, missing. `sweep`: also wait (a while) until the flows of cut links have been ended.
void await_obedience(Obedience* obedience, std::uint64_t deadline_ns, bool sweep, Receipt& receipt);
// Last packet and flows ended, for receipt.links.
void account_links(Obedience* obedience, const FlowBaseline& baseline, Receipt& receipt);

}  // namespace sekisho::control
