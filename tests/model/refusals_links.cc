#include "tests/model/refusal_cases.h"

namespace sekisho::control {

std::vector<RefusalCase> link_refusals() {
  const std::string same_tags = "[[wire]]\nname = \"w\"\nsides = [\"h10\", \"d10\"]\n";
  const std::string other_tags = "[[wire]]\nname = \"w\"\nsides = [\"h10\", \"d20\"]\n";
  const std::string vendor_wire = "[[wire]]\nname = \"w\"\nsides = [\"h10\", \"v0\"]\n";
  const auto link = [&](const char* name, std::string lines, std::string what, std::string expected) {
    return RefusalCase{name, same_tags + "[[link]]\nname = \"l\"\n" + lines, what, expected};
  };
  const std::string clinical = "zones = [\"his\", \"device\"]\n";
  const std::string vendor = "zones = [\"vendor\", \"his\"]\n";
  const std::string internet = "zones = [\"internet\", \"his\"]\n";
  return {
      link("LinkThreeZones", "zones = «[\"his\", \"device\", \"vendor\"]\n", "a link joins two zones",
           "[\"zone\", \"zone\"]"),
      link("LinkZoneUnknown", "zones = [\"his\", «\"devices\"]\n",
           "no zone is named \"devices\" (did you mean \"device\"?)", "a declared zone"),
      link("LinkDeclaredTwice", clinical + "[[link]]\nname = \"l2\"\nzones = «[\"device\", \"his\"]\n",
           "these zones are link \"l\" already (line 50)", "one [[link]] for two zones"),
      link("LinkNameTaken", clinical + "[[link]]\nname = «\"l\"\nzones = [\"device\", \"vendor\"]\n",
           "the link \"l\" exists already (line 51)", "a name of its own"),
      link("LinkFailUnknown", clinical + "fail = «\"pass\"\n", "\"fail\" is \"pass\"",
           "\"closed\" or \"open\""),
      link("LinkUnknownKey", clinical + "«untill = 2025-12-24\n",
           "unknown key \"untill\" in [[link]] (did you mean \"until\"?)", "until"),
      link("LearnWithoutUntil", clinical + "mode = «\"learn\"\n", "learn mode without \"until\"", "45 days"),
      link("UntilWithoutLearn", clinical + "until = «2025-12-24\n", "\"until\" without learn mode",
           "mode = \"learn\""),
      link("UntilAsText", clinical + "mode = \"learn\"\nuntil = «\"2025-12-24\"\n", "\"until\" is a string",
           "a date"),
      link("LearnTooLong", clinical + "mode = \"learn\"\nuntil = «2026-01-16\n",
           "learn mode would last 46 days", "at most 45 days"),
      link("LearnOneSecondTooLong", clinical + "mode = \"learn\"\nuntil = «2026-01-15T00:00:01+09:00\n",
           "learn mode would last 46 days", "at most 45 days"),
      link("LearnOnVendor", vendor + "mode = «\"learn\"\nuntil = 2025-12-24\n",
           "learn mode on a link that touches the vendor zone \"vendor\"", "mode = \"enforce\""),
      link("LearnOnInternet", internet + "mode = «\"learn\"\nuntil = 2025-12-24\n",
           "learn mode on a link that touches the internet zone \"internet\"", "mode = \"enforce\""),
      link("FailOpenOnInternet", internet + "fail = «\"open\"\n",
           "fail open on a link that touches the internet zone \"internet\"", "fail = \"closed\""),
      link("OverloadPassOnVendor", vendor + "overload = «\"pass\"\n",
           "passing uninspected on a link that touches the vendor zone \"vendor\"", "overload = \"drop\""),
      {"FailOpenOtherTags", other_tags + "[[link]]\nname = \"l\"\n" + clinical + "fail = «\"open\"\n",
       "fail open on link \"l\", but the two sides of wire \"w\" have different VLAN tags, which only the "
       "dataplane can "
       "translate",
       "the same tags on both sides"},
      {"FailOpenPortNotOfTheKernel",
       "[[interface]]\nname = \"p10\"\nport = \"pci\"\nzone = \"device\"\nvlan = 10\n"
       "[[wire]]\nname = \"w\"\nsides = [\"h10\", \"p10\"]\n[[link]]\nname = \"l\"\n" +
           clinical + "fail = «\"open\"\n",
       "fail open on link \"l\", but the kernel does not own port \"pci\" of wire \"w\": when the dataplane "
       "is gone nobody "
       "can pass its packets",
       "a net_af_xdp port"},
      {"MirrorOnClinical",
       "«[[wire]]\nname = \"w\"\nsides = [\"h10\", \"d10\"]\nmirror_link_state = true\n[[link]]\nname = "
       "\"l\"\n" +
           clinical + "clinical = true\n",
       "wire \"w\" mirrors link state, which would take down a port of the clinical link \"l\"",
       "mirror_link_state = false"},
      {"MirrorOnSharedPort",
       same_tags +
           "[[interface]]\nname = \"h20\"\nport = \"x1\"\nzone = \"his\"\nvlan = 20\n«[[wire]]\nname = "
           "\"w2\"\n"
           "sides = [\"h20\", \"v0\"]\nmirror_link_state = true\n[[link]]\nname = \"l\"\n" +
           clinical + "clinical = true\n",
       "wire \"w2\" mirrors link state, which would take down a port of the clinical link \"l\"",
       "mirror_link_state = false"},
      {"UndeclaredLinkNameTaken",
       "«" + vendor_wire + "[[link]]\nname = \"his-vendor\"\nzones = [\"his\", \"device\"]\n",
       "the link of wire \"w\" cannot be named \"his-vendor\": too long or taken", "a declared [[link]]"},
  };
}

}  // namespace sekisho::control
