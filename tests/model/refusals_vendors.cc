#include "tests/model/refusal_cases.h"

namespace sekisho::control {
namespace {

// A sound [[vendor]] whose line of `key` is another one; "" takes it out.
RefusalCase vendor(const char* name, const std::string& key, const std::string& line, std::string what,
                   std::string expected) {
  static const std::pair<const char*, const char*> kLines[] = {{"name", "name = \"acme\""},
                                                               {"from", "from = \"vendor\""},
                                                               {"to", "to = \"his\""},
                                                               {"source", "source = \"192.0.2.1\""},
                                                               {"target", "target = \"10.0.0.1\""},
                                                               {"services", "services = \"web\""}};
  std::string text = line.empty() ? "«[[vendor]]\n" : "[[vendor]]\n";
  bool known = false;
  for (const auto& [k, sound] : kLines) {
    known = known || key == k;
    const std::string& used = key == k ? line : sound;
    if (!used.empty()) text += used + "\n";
  }
  if (!known) text += line + "\n";
  return {name, text, std::move(what), std::move(expected)};
}

}  // namespace

std::vector<RefusalCase> vendor_refusals() {
  const std::string host = "one host: its address, or an address object of one address";
  return {
      vendor("VendorWithoutName", "name", "", "[[vendor]] without \"name\"", "\"name\""),
      vendor("VendorWithoutSource", "source", "", "[[vendor]] without \"source\"", "\"source\""),
      vendor("VendorWithoutServices", "services", "", "[[vendor]] without \"services\"", "\"services\""),
      vendor("VendorFromAnywhere", "source", "source = «\"any\"", "a vendor that comes from anywhere",
             "the vendor's own addresses"),
      vendor("VendorFromItsTargetsZone", "from", "from = «\"his\"",
             "the vendor comes from the zone of its target", "another zone than \"to\""),
      vendor("VendorToTwoZones", "to", "to = «[\"his\", \"device\"]", "this is an array",
             "the name of a zone"),
      vendor("VendorTargetNet", "target", "target = «\"10.0.0.0/24\"",
             "the target \"10.0.0.0/24\" is more than one host", host),
      vendor("VendorTargetObjectOfMany", "target", "target = «\"imaging\"",
             "the target \"imaging\" is more than one host", host),
      vendor("VendorTargetAny", "target", "target = «\"any\"", "\"any\" as the target", host),
      vendor("VendorTargetUnknown", "target", "target = «\"pacss\"",
             "no address object is named \"pacss\" (did you mean \"pacs\"?)", "[addresses]"),
      vendor("VendorAnyService", "services", "services = [\"web\", «\"any\"]", "\"any\" for a vendor",
             "the services that the work needs"),
      vendor("VendorServiceTwice", "services", "services = [\"web\", «\"web\"]",
             "the vendor access \"acme.web\" exists already (line 53)", "a name of its own"),
      {"VendorFamilies",
       "«[[vendor]]\nname = \"acme\"\nfrom = \"vendor\"\nto = \"his\"\nsource = \"six\"\ntarget = "
       "\"pacs\"\nservices = \"web\"\n",
       "source and target are of different families: no packet can match", "one family"},
      vendor("VendorTooLong", "longest", "longest = «\"25h\"", "\"longest\" is too long", "\"1d\""),
      vendor("VendorReportTooLate", "report_within", "report_within = «\"91d\"",
             "\"report_within\" is too long", "\"90d\""),
      vendor("VendorApproverRole", "approvers", "approvers = { roles = «\"viewer\" }",
             "the role \"viewer\" approves no tickets", "\"operator\" or \"commander\""),
      vendor("VendorNobodyApproves", "approvers", "approvers = «{}", "nobody approves this vendor's tickets",
             "a role or a person"),
      vendor("VendorSuspendScan", "suspend", "suspend = { scan = { targets = «0 } }",
             "\"targets\" is 0: out of range", "from 1 to 1000"),
      vendor("VendorSuspendScanTrue", "suspend", "suspend = { scan = «true }", "\"scan\" is a boolean",
             "a table, or false"),
      vendor("VendorSuspendWindow", "suspend", "suspend = { brute_force = { within = «\"2h\" } }",
             "\"within\" is too long", "\"1h\""),
      vendor("VendorSuspendSize", "suspend", "suspend = { volume = «\"2 GB\" }", "bad size \"2 GB\"", "MiB"),
      vendor("VendorSuspendPorts", "suspend", "suspend = { brute_force = { ports = [22, «0] } }",
             "bad list of ports", "1 to 64 TCP ports"),
      vendor("VendorSuspendSeverity", "suspend", "suspend = { severity = «\"high\" }",
             "\"severity\" is \"high\"", "\"critical\""),
      vendor("VendorRecordText", "record", "record = «\"yes\"", "\"record\" is a string", "true or false"),
      vendor("VendorRecordNumber", "record", "record = «1", "\"record\" is an integer", "true or false"),
      vendor("VendorUnknownKey", "longets", "«longets = \"1h\"",
             "unknown key \"longets\" in [[vendor]] (did you mean \"longest\"?)", "longest"),
      {"VendorTwice",
       "[[vendor]]\nname = \"acme\"\nfrom = \"vendor\"\nto = \"his\"\nsource = \"192.0.2.1\"\ntarget = "
       "\"pacs\"\nservices = \"web\"\n[[vendor]]\nname = «\"acme\"\nfrom = \"vendor\"\nto = "
       "\"his\"\nsource = \"192.0.2.1\"\ntarget = \"pacs\"\nservices = \"web\"\n",
       "the vendor \"acme\" exists already (line 48)", "a name of its own"},
  };
}

}  // namespace sekisho::control
