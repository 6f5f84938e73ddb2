#include "tests/model/refusal_cases.h"

namespace sekisho::control {

std::vector<RefusalCase> topology_refusals() {
  const auto gateway = [](const char* name, std::string line, std::string what, std::string expected) {
    return RefusalCase{
        name, "[gateway]\nname = \"g\"\n" + line + "\n[[port]]\nname = \"p\"\ndevice = \"net_null0\"\n", what,
        expected, true};
  };
  const auto port = [](const char* name, std::string lines, std::string what, std::string expected) {
    return RefusalCase{name, "[[port]]\n" + lines, what, expected};
  };
  const auto interface = [](const char* name, std::string lines, std::string what, std::string expected) {
    return RefusalCase{name, "[[interface]]\nname = \"i\"\n" + lines, what, expected};
  };
  const auto wire = [](const char* name, std::string lines, std::string what, std::string expected) {
    return RefusalCase{name, "[[wire]]\nname = \"w\"\n" + lines, what, expected};
  };
  return {
      {"UnknownTable", "[[«wires]]\n", "unknown table or key \"wires\" (did you mean \"wire\"?)",
       "one of: gateway"},
      {"TableInsteadOfArray", "[«wire]\nname = \"w\"\n", "\"wire\" is a table", "[[wire]] tables"},
      {"NoGateway", "«[[port]]\nname = \"p\"\ndevice = \"net_null0\"\n", "no [gateway] table",
       "[gateway] with a name", true},
      {"NoPort", "«[gateway]\nname = \"g\"\n", "no [[port]]", "at least two ports", true},
      {"TooManyDots", "a.a.a.a.a.a.a.a.a«.a = 1\n", "a key with more than 8 dots", "", true},
      {"TooManyBrackets", "a = [[[[[[[[[[[[[[[[«[1]]]]]]]]]]]]]]]]]\n",
       "arrays or tables nested more than 16 deep", "", true},
      {"GatewayNameMissing", "«[gateway]\nworkers = 1\n[[port]]\nname = \"p\"\ndevice = \"net_null0\"\n",
       "[gateway] without \"name\"", "the key \"name\"", true},
      gateway("WorkersOutOfRange", "workers = «33", "\"workers\" is 33: out of range",
              "an integer from 1 to 32"),
      gateway("WorkersWrongType", "workers = «\"two\"", "\"workers\" is a string", "an integer from 1 to 32"),
      gateway("IdleUnknownWord", "idle = «\"sleep\"", "\"idle\" is \"sleep\"", "\"poll\" or \"adaptive\""),
      gateway("FlagWrongType", "hugepages = «1", "\"hugepages\" is an integer", "true or false"),
      gateway("CoresTooMany", "cores = «[1, 2]", "2 cores for 1 workers", "one for each worker"),
      gateway("CoreTwice", "workers = 2\ncores = [1, «1]", "core 1 is given to two workers",
              "2 different core numbers"),
      gateway("CoreNegative", "cores = [«-1]", "not a core number", "from 0 to 1023"),
      gateway("TimeZoneByName", "timezone = «\"Asia/Tokyo\"", "bad time zone \"Asia/Tokyo\"", "+09:00"),
      gateway("TimeoutZero", "[timeouts]\nicmp = «\"0s\"", "a duration of zero", "\"30s\""),
      gateway("TimeoutUnit", "[timeouts]\nicmp = «\"10 sec\"", "bad duration \"10 sec\"", "\"30s\", \"2m\""),
      gateway("TimeoutWithoutUnit", "[timeouts]\nicmp = «10", "this is an integer", "a duration such as"),
      gateway("TimeoutTooLong", "[timeouts]\nicmp = «\"8d\"", "\"icmp\" is too long", "\"7d\""),
      gateway("TimeoutOverflow", "[timeouts]\nicmp = «\"99999999999d\"",
              "the duration \"99999999999d\" is too long", ""),
      gateway("TimeoutUnknown", "[timeouts]\n«tcp_open = \"1s\"",
              "unknown key \"tcp_open\" in [timeouts] (did you mean \"tcp_opening\"?)", "tcp_opening"),
      gateway("FragmentsHeldTooLong", "[limits]\nfragment_timeout = «\"3m\"",
              "fragments would be held too long", "120s"),
      gateway("LimitNegative", "[limits]\nflows_per_source = «-1", "\"flows_per_source\" is -1: out of range",
              "from 0"),

      {"PortWithoutName", "«[[port]]\ndevice = \"net_null0\"\n", "[[port]] without \"name\"",
       "the key \"name\""},
      {"PortWithoutDevice", "«[[port]]\nname = \"p\"\n", "[[port]] without \"device\"", "the key \"device\""},
      port("PortNameTaken", "name = «\"x1\"\ndevice = \"net_null0\"\n",
           "the port \"x1\" exists already (line 4)", "a name of its own"),
      port("PortNameBad", "name = «\"p 1\"\ndevice = \"net_null0\"\n", "bad name \"p 1\"", "letters, digits"),
      port("PortNameTooLong", "name = «\"a12345678901234567890123456789012\"\ndevice = \"net_null0\"\n",
           "the name \"a12345678901234567890123456789012\" is longer than 31 characters", "at most 31"),
      port("PortNameReserved", "name = «\"all\"\ndevice = \"net_null0\"\n",
           "\"all\" is a word of the language, not a name", ""),
      port("PortNameWrongType", "name = «1\ndevice = \"net_null0\"\n", "this is an integer",
           "a string for \"name\""),
      port("DeviceUnknown", "name = \"p\"\ndevice = «\"eth0\"\n", "bad device \"eth0\"", "PCI address"),
      port("DeviceWithoutInterface", "name = \"p\"\ndevice = «\"net_af_xdp\"\n",
           "\"net_af_xdp\" without the kernel's interface", ",iface=NAME"),
      port("DeviceInterfaceTooLong", "name = \"p\"\ndevice = «\"net_af_packet,iface=abcdefghijklmnop\"\n",
           "\"net_af_packet,iface=abcdefghijklmnop\" without the kernel's interface", "1 to 15"),
      port("DeviceInterfaceTwice", "name = \"p\"\ndevice = «\"net_af_packet,iface=eth1\"\n",
           "the device \"net_af_packet,iface=eth1\" is port \"x1\" already", "a device of its own"),
      port("DevicePciTwice", "name = \"p\"\ndevice = «\"0000:03:00.0,rx=1\"\n",
           "the device \"0000:03:00.0,rx=1\" is port \"pci\" already", "a device of its own"),
      port("ChecksumsUnknown", "name = \"p\"\ndevice = \"net_null0\"\nchecksums = «\"skip\"\n",
           "\"checksums\" is \"skip\"", "\"verify\" or \"trust\""),
      port("MtuOutOfRange", "name = \"p\"\ndevice = \"net_null0\"\nmtu = «100\n",
           "\"mtu\" is 100: out of range", "from 576 to 9702"),
      port("PortUnknownKey", "name = \"p\"\ndevice = \"net_null0\"\n«mut = 1500\n",
           "unknown key \"mut\" in [[port]] (did you mean \"mtu\"?)", "name, device, checksums, mtu"),
      {"ZoneNameTaken", "[[zone]]\nname = «\"his\"\n", "the zone \"his\" exists already (line 13)", ""},
      {"ZoneKindUnknown", "[[zone]]\nname = \"z\"\nkind = «\"outer\"\n", "\"kind\" is \"outer\"",
       "\"normal\", \"vendor\" or \"internet\""},

      interface("InterfacePortUnknown", "port = «\"x3\"\nzone = \"his\"\n",
                "no port is named \"x3\" (did you mean \"x1\"?)", "a declared port"),
      interface("InterfaceZoneUnknown", "port = \"x1\"\nzone = «\"hiss\"\n",
                "no zone is named \"hiss\" (did you mean \"his\"?)", "a declared zone"),
      interface("VlanZero", "port = \"x1\"\nzone = \"his\"\nvlan = «0\n", "VLAN id 0 is out of range",
                "1 to 4094"),
      interface("VlanTooHigh", "port = \"x1\"\nzone = \"his\"\nvlan = [100, «4095]\n",
                "VLAN id 4095 is out of range", "1 to 4094"),
      interface("VlanThreeDeep", "port = \"x1\"\nzone = \"his\"\nvlan = «[1, 2, 3]\n", "3 VLAN ids",
                "[outer, inner]"),
      interface("VlanWrongType", "port = \"x1\"\nzone = \"his\"\nvlan = «\"10\"\n", "the VLAN id is a string",
                "1 to 4094"),
      interface("InterfaceOverlapVlan", "port = \"x1\"\nzone = \"device\"\nvlan = «10\n",
                "VLAN 10 on port \"x1\" is interface \"h10\" already (line 22)", "a VLAN that no other"),
      interface("InterfaceOverlapUntagged", "port = «\"pci\"\nzone = \"his\"\n",
                "no VLAN on port \"pci\" is interface \"v0\" already (line 37)", "a VLAN that no other"),

      wire("WireOneSide", "sides = «[\"h10\"]\n", "a wire has two sides", "[\"interface\", \"interface\"]"),
      wire("WireSameSides", "sides = [\"h10\", «\"h10\"]\n", "both sides of the wire are the same interface",
           "two different interfaces"),
      wire("WireInterfaceUnknown", "sides = [\"h10\", «\"d11\"]\n",
           "no interface is named \"d11\" (did you mean \"d10\"?)", "a declared interface"),
      wire("WireInterfaceUsedTwice",
           "sides = [\"h10\", \"d10\"]\n[[wire]]\nname = \"w2\"\nsides = [\"d20\", «\"h10\"]\n",
           "the interface \"h10\" is part of wire \"w\" already", "in one wire only"),
      wire("WireEthertypeName", "sides = [\"h10\", \"d10\"]\nethertypes = [«\"cdp\"]\n", "not an EtherType",
           "\"lldp\""),
      wire("WireEthertypeRange", "sides = [\"h10\", \"d10\"]\nethertypes = [«0x500]\n", "not an EtherType",
           "0x0600"),
      wire("WireEthertypeIp", "sides = [\"h10\", \"d10\"]\nethertypes = [«0x86dd]\n",
           "EtherType 0x86dd is not for this list", "rules for IP"),
      wire("WireEthertypesText", "sides = [\"h10\", \"d10\"]\nethertypes = «\"all\"\n",
           "not a list of EtherTypes", "\"any\""),
  };
}

}  // namespace sekisho::control
