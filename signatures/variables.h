// Address and port variables, and expressions over them.
//
// An expression: any | address | a/len | a-b | $VAR | !x | [x,y,…], nested. A list is (union of what is not
// negated, or everything if all are) minus (union of what is negated), as Suricata does it. Bounded: nesting
// and variables that name variables 16 deep, 1 MiB of text, 65,536 elements.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "signatures/ast.h"

namespace sekisho::signatures {

struct Variables {
  std::map<std::string, std::string, std::less<>> addresses, ports;
};

// HOME_NET = private networks, EXTERNAL_NET = !$HOME_NET, the servers = $HOME_NET, ports as suricata.yaml has
// them.
Variables default_variables();

// Reads a JSON object: {"HOME_NET": "10.0.0.0/8", "HTTP_PORTS": "[80,8080]"}, or {"address-groups": {…},
// "port-groups": {…}}. In the flat form a name that ends in _PORTS or _PORT, or that is known as one, is a
// port variable. Overrides what is in `variables`; without `,` numbers may stand for ports. Returns what is
// wrong, or "".
std::string read_variables_json(std::string_view json, Variables& variables);

// Evaluates expressions; equal texts give the same object. Not thread-safe.
class Expressions {
 public:
  explicit Expressions(const Variables& variables) : variables_(variables) {}
  // Throw Refusal: syntax, undefined or recursive variables, an expression that means nothing.
  std::shared_ptr<const AddressSet> addresses(std::string_view text);
  std::shared_ptr<const PortSet> ports(std::string_view text);

 private:
  const Variables& variables_;
  std::unordered_map<std::string, std::shared_ptr<const AddressSet>> address_cache_;
  std::unordered_map<std::string, std::shared_ptr<const PortSet>> port_cache_;
};

// One address, network or range of them. Throws Refusal.
AddressSet read_address(std::string_view text);

}  // namespace sekisho::signatures
