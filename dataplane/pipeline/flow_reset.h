// A RST to one end of a live TCP flow, with the exact sequence number that it expects. Thread: the worker.
#pragma once

#include "dataplane/pipeline/context.h"

namespace sekisho::pipeline {

// Nothing is sent when the numbers are not known or no buffer is free.
void reset_flow(Context& context, const flow::Flow& flow, const flow::Origin& origin,
                bool to_initiator) noexcept;

}  // namespace sekisho::pipeline
