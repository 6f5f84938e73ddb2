#include "signatures/variables.h"

#include <nlohmann/json.hpp>

#include "signatures/refusal.h"
#include "signatures/text.h"

namespace sekisho::signatures {

Variables default_variables() {
  Variables v;
  v.addresses = {{"HOME_NET", "[192.168.0.0/16,10.0.0.0/8,172.16.0.0/12]"},
                 {"EXTERNAL_NET", "!$HOME_NET"},
                 {"MODBUS_CLIENT", "$HOME_NET"},
                 {"MODBUS_SERVER", "$HOME_NET"},
                 {"ENIP_CLIENT", "$HOME_NET"},
                 {"ENIP_SERVER", "$HOME_NET"},
                 {"DNP3_CLIENT", "$HOME_NET"},
                 {"DNP3_SERVER", "$HOME_NET"}};
  for (const char* name : {"HTTP_SERVERS", "SMTP_SERVERS", "SQL_SERVERS", "DNS_SERVERS", "TELNET_SERVERS",
                           "DC_SERVERS", "SIP_SERVERS", "FTP_SERVERS", "SSH_SERVERS"})
    v.addresses[name] = "$HOME_NET";
  v.addresses["AIM_SERVERS"] = "$EXTERNAL_NET";
  v.ports = {{"HTTP_PORTS", "80"},
             {"SHELLCODE_PORTS", "!80"},
             {"ORACLE_PORTS", "1521"},
             {"SSH_PORTS", "22"},
             {"DNP3_PORTS", "20000"},
             {"MODBUS_PORTS", "502"},
             {"FILE_DATA_PORTS", "[$HTTP_PORTS,110,143]"},
             {"FTP_PORTS", "21"},
             {"GENEVE_PORTS", "6081"},
             {"VXLAN_PORTS", "4789"},
             {"TEREDO_PORTS", "3544"},
             {"SIP_PORTS", "[5060,5061,5600]"}};
  return v;
}

namespace {

bool port_name(const std::string& name, const Variables& v) {
  return v.ports.contains(name) || name.ends_with("_PORTS") || name.ends_with("_PORT");
}

std::string text_of(const nlohmann::json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_unsigned()) return std::to_string(value.get<std::uint64_t>());
  if (value.is_array()) {
    std::string out = "[";
    for (const auto& item : value) {
      const std::string one = text_of(item);
      if (one.empty()) return {};
      if (out.size() > 1) out += ',';
      out += one;
    }
    return out + "]";
  }
  return {};
}

}  // namespace

std::string read_variables_json(std::string_view text, Variables& variables) {
  const auto root = nlohmann::json::parse(text, nullptr, false);
  if (!root.is_object()) return "the variables are not a JSON object";
  const auto take = [&](const std::string& name, const nlohmann::json& value, int kind) -> std::string {
    std::string expression = text_of(value);
    if (name.empty() || expression.empty())
      return fmt::format("variable '{}' has no text, number or list", shown(name));
    const bool is_port = kind == 2 || (kind == 0 && port_name(name, variables));
    (is_port ? variables.ports : variables.addresses)[name] = std::move(expression);
    return {};
  };
  for (const auto& [name, value] : root.items()) {
    if (value.is_object() && (name == "address-groups" || name == "port-groups")) {
      for (const auto& [inner, expression] : value.items())
        if (auto why = take(inner, expression, name == "port-groups" ? 2 : 1); !why.empty()) return why;
    } else if (name.starts_with("address-groups.") || name.starts_with("port-groups.")) {
      const std::size_t dot = name.find('.');
      if (auto why = take(name.substr(dot + 1), value, name[0] == 'p' ? 2 : 1); !why.empty()) return why;
    } else if (auto why = take(name, value, 0); !why.empty()) {
      return why;
    }
  }
  return {};
}

}  // namespace sekisho::signatures
