// [[ips.action]] blocks → for each link one action a signature (abi::Section::ips_actions).
// Pure; any thread.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "control/model/model.h"
#include "control/policy/compile.h"
#include "signatures/info.h"

namespace sekisho::control {

// The base name of the file that a signature came from, lower case: "emerging-dns.rules".
using FileOf = std::function<std::string_view(std::size_t index)>;

// Whether the block takes the signature. A signature that is written to pass is taken by its sid alone: it is
// an exception that somebody made, and classes and severities must not turn it into its opposite.
bool takes(const IpsRule& rule, const signatures::SignatureInfo& signature, std::string_view file);

// Fills `actions` and `link_actions`. Links for which every signature stays as it is written share nothing
// and get UINT32_MAX; links with the same actions share one array.
void build_actions(const Model& model, const signatures::SetInfo& set, const FileOf& file_of,
                   SignaturePart& out);

// "emerging-dns.rules" of "/x/Emerging-DNS.rules.gz"
std::string base_name(std::string_view path);

}  // namespace sekisho::control
