#include "tests/model/refusal_cases.h"

namespace sekisho::control {
namespace {

// The [addresses] and [services] of kSite cannot be opened again, so these cases bring a whole file.
RefusalCase address(const char* name, std::string lines, std::string what, std::string expected) {
  return {
      name,
      "[gateway]\nname = \"g\"\n[[port]]\nname = \"p\"\ndevice = \"net_null0\"\n[addresses]\n" + lines + "\n",
      what, expected, true};
}
RefusalCase service(const char* name, std::string lines, std::string what, std::string expected) {
  return {
      name,
      "[gateway]\nname = \"g\"\n[[port]]\nname = \"p\"\ndevice = \"net_null0\"\n[services]\n" + lines + "\n",
      what, expected, true};
}
RefusalCase rule(const char* name, std::string lines, std::string what, std::string expected) {
  return {name, "[[rule]]\nfrom = \"his\"\nto = \"device\"\naction = \"accept\"\n" + lines + "\n", what,
          expected};
}

void addresses(std::vector<RefusalCase>& out) {
  const std::string forms = "an IPv4 or IPv6 address, a prefix (10.0.0.0/8) or a range (10.0.0.5-10.0.0.9)";
  out.insert(
      out.end(),
      {address("AddressBad", "a = «\"10.0.0.256\"", "bad address \"10.0.0.256\"", forms),
       address("AddressLeadingZeros", "a = «\"010.0.0.1\"", "bad address \"010.0.0.1\"", forms),
       address("AddressWrongType", "a = [«10]", "this is an integer", "an address or \"@group\""),
       address("PrefixHostBits", "a = «\"10.20.1.5/24\"", "host bits are set in \"10.20.1.5/24\"",
               "\"10.20.1.0/24\" for the network, or \"10.20.1.5\" for the one host"),
       address("PrefixHostBits6", "a = «\"2001:db8::1/64\"", "host bits are set in \"2001:db8::1/64\"",
               "\"2001:db8::/64\""),
       address("PrefixLength", "a = «\"10.0.0.0/33\"", "bad prefix length in \"10.0.0.0/33\"", "/0 to /32"),
       address("PrefixLength6", "a = «\"::/129\"", "bad prefix length in \"::/129\"", "/0 to /128"),
       address("PrefixNetmask", "a = «\"10.0.0.0/255.0.0.0\"", "bad prefix length in \"10.0.0.0/255.0.0.0\"",
               "/0 to /32"),
       address("PrefixBad", "a = «\"10.0.0/8\"", "bad prefix \"10.0.0/8\"", forms),
       address("RangeBackwards", "a = «\"10.0.0.9-10.0.0.5\"",
               "the range \"10.0.0.9-10.0.0.5\" ends before it starts", "\"10.0.0.5-10.0.0.9\""),
       address("RangeMixed", "a = «\"10.0.0.9-::1\"", "the range \"10.0.0.9-::1\" mixes IPv4 and IPv6",
               "one family"),
       address("RangeBad", "a = «\"10.0.0.5-9\"", "bad range \"10.0.0.5-9\"", forms),
       address("ListEmpty", "a = «[]", "an empty list would match nothing", "addresses or \"@group\""),
       address("GroupUnknown", "pacs = \"10.0.0.1\"\na = «\"@pcas\"",
               "no address object is named \"pcas\" (did you mean \"pacs\"?)", "[addresses]"),
       address("GroupWithoutAt", "pacs = \"10.0.0.1\"\na = «\"pacs\"",
               "\"pacs\" is an object, not an address", "\"@pacs\""),
       address("GroupOfItself", "a = [\"10.0.0.1\", «\"@a\"]", "the group holds itself: a → a",
               "without a cycle"),
       address("GroupCycle", "a = \"@b\"\nb = \"@c\"\nc = «\"@a\"", "the group holds itself: a → b → c → a",
               "without a cycle"),
       address("ObjectNameIsAddress", "«\"10.0.0.1\" = \"10.0.0.1\"",
               "the address object \"10.0.0.1\" would read as an address", "a letter"),
       address("ObjectNameReserved", "«any = \"10.0.0.1\"", "\"any\" is a word of the language, not a name",
               "")});
}

void services(std::vector<RefusalCase>& out) {
  const std::string range = "a port from 1 to 65535, or a range \"low-high\"";
  out.insert(
      out.end(),
      {service("PortOutOfRange", "s = { tcp = «65536 }", "port 65536 is out of range", range),
       service("PortZero", "s = { udp = «0 }", "port 0 is never let through", range),
       service("PortBad", "s = { tcp = «\"http\" }", "bad port \"http\"", range),
       service("PortRangeBackwards", "s = { tcp = «\"9-5\" }", "the port range \"9-5\" ends before it starts",
               "\"5-9\""),
       service("ServiceEmptyList", "s = { tcp = «[] }", "an empty list would match nothing", "\"tcp\""),
       service("ServiceWithoutProtocol", "s = «{ idle = \"8h\" }", "a service that names no protocol",
               "tcp, udp"),
       service("ServiceNotATable", "s = «22", "a service is an integer", "a table"),
       service("ServiceUnknownKey", "s = { tcp = 22, «port = 22 }", "unknown key \"port\" in a service",
               "one of: tcp"),
       service("ServiceIdleTooLong", "s = { tcp = 22, idle = «\"30d\" }", "\"idle\" is too long", "\"7d\""),
       service("IcmpUnknown", "s = { icmp = «\"ping\" }", "not an ICMP type", "\"echo\""),
       service("IcmpCode", "s = { icmp = «\"3/256\" }", "not an ICMP type", "\"type/code\""),
       service("ProtocolZero", "s = { protocol = «0 }", "not an IP protocol", "1 to 255"),
       service("ProtocolUnknown", "s = { protocol = «\"ipip\" }", "not an IP protocol", "\"gre\""),
       service("SourcePortWithoutPorts", "s = { icmp = \"echo\", source = «53 }",
               "source ports beside a protocol without ports", "tcp, udp or sctp"),
       service("ServiceNameReserved", "«any = { tcp = 1 }", "\"any\" is a word of the language, not a name",
               "")});
}

void schedules(std::vector<RefusalCase>& out) {
  const auto schedule = [](const char* name, std::string text, std::string what, std::string expected) {
    return RefusalCase{name, "[schedules]\ns = " + text + "\n", what, expected};
  };
  out.insert(
      out.end(),
      {schedule("ScheduleDay", "{ days = [«\"monday\"], from = \"08:00\", to = \"18:00\" }",
                "bad day \"monday\"", "\"mon\""),
       schedule("ScheduleTime", "{ from = «\"8:00\", to = \"18:00\" }", "bad time of day \"8:00\"",
                "\"HH:MM\""),
       schedule("ScheduleLate", "{ from = \"08:00\", to = «\"24:01\" }", "bad time of day \"24:01\"",
                "\"24:00\""),
       schedule("ScheduleWithoutEnd", "«{ from = \"08:00\" }", "a schedule without \"to\"", "the key \"to\""),
       schedule("ScheduleEmpty", "{ from = \"08:00\", to = «\"08:00\" }",
                "the window starts and ends at the same time", "\"24:00\""),
       {"AccessNameTaken", "[[vendor_access]]\nname = \"a\"\n[[vendor_access]]\nname = «\"a\"\n",
        "the vendor access \"a\" exists already (line 48)", "a name of its own"},
       {"AccessTooLong", "[[vendor_access]]\nname = \"a\"\nlongest = «\"8d\"\n", "\"longest\" is too long",
        "\"7d\""}});
}

void rules(std::vector<RefusalCase>& out) {
  out.insert(
      out.end(),
      {{"RuleWithoutFrom", "«[[rule]]\nto = \"his\"\naction = \"drop\"\n", "[[rule]] without \"from\"",
        "\"from\""},
       {"RuleWithoutTo", "«[[rule]]\nfrom = \"his\"\naction = \"drop\"\n", "[[rule]] without \"to\"",
        "\"to\""},
       {"RuleWithoutAction", "«[[rule]]\nfrom = \"his\"\nto = \"his\"\n", "[[rule]] without \"action\"",
        "\"action\""},
       {"RuleAction", "[[rule]]\nfrom = \"his\"\nto = \"his\"\naction = «\"allow\"\n",
        "\"action\" is \"allow\"", "\"accept\", \"drop\" or \"reject\""},
       {"RuleZoneUnknown", "[[rule]]\nfrom = [\"his\", «\"vender\"]\nto = \"his\"\naction = \"drop\"\n",
        "no zone is named \"vender\" (did you mean \"vendor\"?)", "a declared zone"},
       {"RuleNoZones", "[[rule]]\nfrom = «[]\nto = \"his\"\naction = \"drop\"\n",
        "an empty list would match nothing", "\"any\""},
       rule("RuleNameTaken",
            "name = \"r\"\n[[rule]]\nname = «\"r\"\nfrom = \"his\"\nto = \"his\"\naction = \"drop\"",
            "the rule \"r\" exists already (line 51)", "a name of its own"),
       rule("RuleNameTwoLines", "name = «\"a\\nb\"", "bad rule name \"a\\x0ab\"", "on one line"),
       rule("RuleSourceUnknown", "source = «\"imagin\"",
            "no address object is named \"imagin\" (did you mean \"imaging\"?)", "[addresses]"),
       rule("RuleSourceEmpty", "source = «[]", "an empty list would match nothing", "objects or addresses"),
       rule("RuleSourceAnyInList", "source = [\"pacs\", «\"any\"]", "\"any\" in a list", "\"any\" alone"),
       rule("RuleSourceHostBits", "source = «\"10.0.0.1/8\"", "host bits are set in \"10.0.0.1/8\"",
            "\"10.0.0.0/8\""),
       rule("RuleServiceUnknown", "service = «\"wbe\"", "no service is named \"wbe\" (did you mean \"web\"?)",
            "[services]"),
       rule("RuleServiceAnyInList", "service = [\"web\", «\"any\"]", "\"any\" in a list", "\"any\" alone"),
       rule("RuleServiceWrongType", "service = «443", "this is an integer", "{ tcp = 22 }"),
       rule("RuleServiceEmpty", "service = «[]", "an empty list would match nothing", "services"),
       rule("RuleScheduleUnknown", "schedule = «\"office\"", "no schedule is named \"office\"",
            "declared schedule"),
       rule("RuleAccessUnknown", "access = «\"vendor-a\"", "no vendor_access is named \"vendor-a\"",
            "declared vendor_access"),
       rule("RuleLogWrongType", "log = «\"yes\"", "\"log\" is a string", "true or false"),
       rule("RuleUnknownKey", "«services = \"web\"",
            "unknown key \"services\" in [[rule]] (did you mean \"service\"?)", "service"),
       {"RuleFamilies",
        "«[[rule]]\nfrom = \"his\"\nto = \"his\"\naction = \"drop\"\nsource = \"pacs\"\ndestination = "
        "\"six\"\n",
        "one side holds only IPv4 and the other only IPv6: no packet can match", "one family"}});
}

}  // namespace

std::vector<RefusalCase> policy_refusals() {
  std::vector<RefusalCase> out;
  addresses(out);
  services(out);
  schedules(out);
  rules(out);
  return out;
}

}  // namespace sekisho::control
