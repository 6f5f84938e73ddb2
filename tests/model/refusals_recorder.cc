#include "tests/model/refusal_cases.h"

namespace sekisho::control {
namespace {

RefusalCase recorder(const char* name, std::string lines, std::string what, std::string expected) {
  return {name, "[recorder]\n" + lines + "\n", what, expected};
}

}  // namespace

std::vector<RefusalCase> recorder_refusals() {
  return {
      recorder("RecorderUnknownKey", "«keep_for = 16", "unknown key \"keep_for\" in [recorder]", "memory_mb"),
      recorder("RecorderMemory", "memory_mb = «4097", "\"memory_mb\" is 4097: out of range",
               "an integer from 0 to 4096"),
      recorder("RecorderSnap", "snap = «63", "\"snap\" is 63: out of range", "from 64 to 16384"),
      recorder("RecorderSeconds", "seconds = «\"11m\"", "a capture cannot go back so far", "\"10m\""),
      recorder("RecorderCaptures", "captures = «0", "\"captures\" is 0: out of range", "from 1"),
      recorder("RecorderOnCut", "on_cut = «1", "\"on_cut\" is an integer", "true or false"),
      {"RecorderSizes", "«[recorder]\nstorage_mb = 10\ncapture_mb = 11\n",
       "one capture of 11 MB is larger than all captures together (10 MB)", "no larger"},
      recorder("RecorderSessionNone", "session_mb = «0", "\"session_mb\" is 0: out of range",
               "from 1 to 1024"),
      recorder("RecorderSessionLarge", "session_mb = «1025", "\"session_mb\" is 1025: out of range",
               "from 1 to 1024"),
      recorder("RecorderSessionsText", "sessions_mb = «\"2048\"", "\"sessions_mb\" is a string",
               "an integer"),
      {"RecorderSessionSizes", "«[recorder]\nsession_mb = 11\nsessions_mb = 10\n",
       "the recording of one session of 11 MB is larger than all of them together (10 MB)", "no larger"},
      {"RecordPayload", "[[link]]\nname = \"l\"\nzones = [\"his\", \"device\"]\nrecord_payload = «\"some\"\n",
       "\"record_payload\" is \"some\"", "\"head\", \"none\" or \"all\""},
  };
}

}  // namespace sekisho::control
