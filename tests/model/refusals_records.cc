#include "tests/model/refusal_cases.h"

namespace sekisho::control {

std::vector<RefusalCase> records_refusals() {
  const auto records = [](const char* name, std::string lines, std::string what, std::string expected) {
    return RefusalCase{name, "[records]\n" + lines, what, expected};
  };
  const auto evidence = [](const char* name, std::string lines, std::string what, std::string expected) {
    return RefusalCase{name, "[evidence]\n" + lines, what, expected};
  };
  return {
      evidence("EvidenceArchiveSmall", "archive_size = «\"1MiB\"\n", "\"archive_size\" is \"1MiB\"",
               "\"64MiB\""),
      evidence("EvidenceArchiveLarge", "archive_size = «\"257MiB\"\n", "\"archive_size\" is \"257MiB\"",
               "\"256MiB\""),
      evidence("EvidenceTotalSmall", "total_size = «\"63MiB\"\n", "\"total_size\" is \"63MiB\"", "\"64MiB\""),
      evidence("EvidenceDelayLong", "delay = «\"2m\"\n", "\"delay\" is \"2m\"", "\"1m\""),
      evidence("EvidenceDelayNumber", "delay = «2\n", "this is an integer", ""),
      evidence("EvidenceUnknown", "«keep = \"1d\"\n", "unknown key \"keep\" in [evidence]", "archive_size"),
      records("RecordsSizeNumber", "events_size = «8\n", "this is an integer", "a size from"),
      records("RecordsSizeNoUnit", "events_size = «\"8\"\n", "bad size \"8\"", "GiB"),
      records("RecordsSizeSmall", "events_size = «\"1MiB\"\n", "\"events_size\" is \"1MiB\"", "\"64MiB\""),
      records("RecordsSizeLarge", "records_size = «\"10000GiB\"\n", "\"records_size\" is \"10000GiB\"",
              "8192GiB"),
      records("RecordsReserveSmall", "disk_reserve = «\"1KiB\"\n", "\"disk_reserve\" is \"1KiB\"",
              "\"16MiB\""),
      records("RecordsKeepShort", "events_keep = «\"2h\"\n", "\"events_keep\" is \"2h\"", "at least \"1d\""),
      records("RecordsKeepUnderAYear", "records_keep = «\"364d\"\n", "\"records_keep\" is \"364d\"",
              "at least \"365d\""),
      records("RecordsKeepUnit", "events_keep = «\"90 days\"\n", "bad duration \"90 days\"", "\"30s\""),
      records("RecordsUnknown", "«keep = \"1d\"\n", "unknown key \"keep\" in [records]", "events_keep"),
  };
}

}  // namespace sekisho::control
