#include "tests/model/refusal_cases.h"

namespace sekisho::control {

std::vector<RefusalCase> ips_refusals() {
  const std::string wire = "[[wire]]\nname = \"w\"\nsides = [\"h10\", \"d10\"]\n";
  const std::string link = wire + "[[link]]\nname = \"l\"\nzones = [\"his\", \"device\"]\n";
  const auto ips = [](const char* name, std::string lines, std::string what, std::string expected) {
    return RefusalCase{name, "[ips]\n" + lines, what, expected};
  };
  const auto action = [](const char* name, std::string lines, std::string what, std::string expected) {
    const bool marked = lines.find("«") != std::string::npos;
    return RefusalCase{name, (marked ? "" : "«") + std::string("[[ips.action]]\n") + lines, what, expected};
  };
  const auto exception = [](const char* name, std::string lines, std::string what, std::string expected) {
    const bool marked = lines.find("«") != std::string::npos;
    return RefusalCase{name, (marked ? "" : "«") + std::string("[[ips.exception]]\n") + lines, what,
                       expected};
  };
  const std::string good = "sid = 1\nreason = \"r\"\nuntil = 2026-01-01\n";
  return {
      {"LinkIpsUnknown", link + "ips = «\"on\"\n", "\"ips\" is \"on\"", "\"off\", \"detect\" or \"prevent\""},
      {"LinkDepthNoUnit", link + "inspect_depth = «\"100\"\n", "bad size \"100\"", "or \"all\""},
      {"LinkDepthNumber", link + "inspect_depth = «100\n", "this is an integer", "or \"all\""},
      {"LinkDepthTooLarge", link + "inspect_depth = «\"9000GiB\"\n", "the size \"9000GiB\" is too large",
       "\"all\""},
      ips("FileTwice", "files = [\"a.rules\", «\"a.rules\"]\n", "the file \"a.rules\" is named twice",
          "once"),
      ips("FileClimbs", "files = [«\"../a.rules\"]\n", "bad file name \"../a.rules\"", "without \"..\""),
      ips("FileClimbsInside", "files = [«\"/a/../b\"]\n", "bad file name \"/a/../b\"", "without \"..\""),
      ips("FilesEmpty", "files = «[]\n", "an empty list would match nothing", "names of signature files"),
      ips("FileNumber", "files = [«1]\n", "this is an integer", "names of signature files"),
      ips("KeyNoKey", "trusted_keys = [«\"abc\"]\n", "not a public key", "base64"),
      ips("VariableName", "variables = { «\"A-B\" = \"1.2.3.4\" }\n", "bad variable name \"A-B\"", "letters"),
      ips("VariableNumber", "variables = { A = «1 }\n", "this is an integer", "NAME ="),
      ips("ThresholdEmpty", "threshold = «\"\"\n", "an empty file name", "the name of a file"),
      ips("OrderShort", "action_order = «[\"pass\"]\n", "\"action_order\" is not complete", "each once"),
      ips("OrderTwice", "action_order = [\"pass\", «\"pass\"]\n", "\"pass\" in \"action_order\"",
          "each once"),
      ips("OrderUnknown", "action_order = [«\"log\"]\n", "\"log\" in \"action_order\"", "each once"),
      ips("NewTooLong", "new_signatures_detect_for = «\"91d\"\n",
          "new signatures would only detect for too long", "at most \"90d\""),
      ips("MemorySmall", "app_memory = «\"1MiB\"\n", "\"app_memory\" is \"1MiB\"", "\"16MiB\""),
      ips("IpsUnknownKey", "«file = \"a\"\n", "unknown key \"file\" in [ips] (did you mean \"files\"?)",
          "files"),
      {"IpsIsNoTable", "ips = «1\n[gateway]\nname = \"g\"\n[[port]]\nname = \"p\"\ndevice = \"net_null0\"\n",
       "[ips] is an integer", "a table", true},
      action("ActionMissing", "sid = 1\n", "[[ips.action]] without \"action\"", "the key \"action\""),
      action("ActionUnknown", "sid = 1\naction = «\"block\"\n", "\"action\" is \"block\"", "\"reject\""),
      action("ActionTakesAll", "action = \"drop\"\n", "this block would take every signature", "classtype"),
      action("ActionLinkUnknown", "sid = 1\naction = \"drop\"\nlinks = [«\"x\"]\n", "no link is named \"x\"",
             "declared link"),
      action("ActionSidZero", "sid = [«0]\naction = \"drop\"\n", "not a sid", "from 1"),
      action("ActionSidText", "sid = «\"1\"\naction = \"drop\"\n", "not a sid", "from 1"),
      action("ActionTwice",
             "name = \"a\"\nsid = 1\naction = \"drop\"\n[[ips.action]]\nname = «\"a\"\nsid = 2\naction = "
             "\"drop\"\n",
             "the action \"a\" exists already (line 48)", "a name of its own"),
      exception("ExceptionForever", "sid = 1\nreason = \"r\"\n", "[[ips.exception]] without \"until\"",
                "until"),
      exception("ExceptionWithoutReason", "sid = 1\nuntil = 2026-01-01\n",
                "[[ips.exception]] without \"reason\"", "reason"),
      exception("ExceptionEmptyReason", "sid = 1\nuntil = 2026-01-01\nreason = «\"\"\n", "bad reason \"\"",
                "1 to"),
      exception("ExceptionTooLong", "sid = 1\nreason = \"r\"\nuntil = «2027-01-01\n",
                "the exception would last 396 days", "at most 366 days"),
      exception("ExceptionUntilText", "sid = 1\nreason = \"r\"\nuntil = «\"2026-01-01\"\n",
                "\"until\" is a string", "a date"),
      exception("ExceptionAllForAll", "sid = \"any\"\nreason = \"r\"\nuntil = 2026-01-01\n",
                "this exception would switch off every signature for every host", "addresses"),
      exception("ExceptionAddressUnknown", good + "addresses = [«\"pacss\"]\n",
                "no address object is named \"pacss\" (did you mean \"pacs\"?)", "[addresses]"),
      exception("ExceptionAddressBad", good + "addresses = [«\"10.0.0.1/8\"]\n",
                "host bits are set in \"10.0.0.1/8\"", ""),
  };
}

}  // namespace sekisho::control
