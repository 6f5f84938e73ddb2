#include "tests/model/refusal_cases.h"

namespace sekisho::control {
namespace {

RefusalCase mail(const char* name, std::string lines, std::string what, std::string expected) {
  return {name,
          "[[notice]]\nname = \"m\"\nvia = \"smtp\"\nurl = \"smtp://mail\"\nfrom = \"a@b\"\nto = \"c@d\"\n" +
              lines + "\n",
          what, expected};
}
RefusalCase hook(const char* name, std::string lines, std::string what, std::string expected) {
  return {name, "[[notice]]\nname = \"w\"\nvia = \"webhook\"\n" + lines + "\n", what, expected};
}
RefusalCase syslog(const char* name, std::string lines, std::string what, std::string expected) {
  return {name, "[[notice]]\nname = \"s\"\nvia = \"syslog\"\nhost = \"siem\"\n" + lines + "\n", what,
          expected};
}
RefusalCase book(const char* name, std::string lines, std::string what, std::string expected) {
  return {name, "[[playbook]]\nname = \"p\"\n" + lines + "\n", what, expected};
}

}  // namespace

std::vector<RefusalCase> response_refusals() {
  return {
      mail("NoticeSeverity", "severity = «\"loud\"", "\"severity\" is \"loud\"", "\"info\", \"warning\""),
      mail("NoticeKind", "kinds = [«\"Cut!\"]", "bad kind \"Cut!\"", "words such as"),
      mail("NoticeUnknownKey", "«body = \"x\"", "unknown key \"body\" in [[notice]]", "one of: name, via"),
      mail("NoticeUserAlone", "user = «\"u\"", "\"user\" and \"password_file\" belong together",
           "both, or none"),
      {"NoticeMailbox",
       "[[notice]]\nname = \"m\"\nvia = \"smtp\"\nurl = \"smtp://mail\"\nfrom = «\"a@b\\r\\nBcc: x\"\nto = "
       "\"c@d\"\n",
       "bad address \"a@b\\x0d\\x0aBcc: x\"", "an address such as"},
      {"NoticeVia", "[[notice]]\nname = \"m\"\nvia = «\"pager\"\n", "\"via\" is \"pager\"",
       "\"smtp\", \"webhook\" or \"syslog\""},
      hook("WebhookScheme", "url = «\"file:///etc/passwd\"", "bad url \"file:///etc/passwd\"", "http://HOST"),
      hook("WebhookUserInUrl", "url = «\"https://u:p@lamp/\"", "a user in the url", "\"password_file\""),
      hook("WebhookTemplate", "url = \"https://lamp/\"\nbody = «\"{titel}\"", "nothing is known as {titel}",
           "{title}"),
      hook("WebhookBodyOfGet", "url = \"https://lamp/\"\nmethod = \"GET\"\nbody = «\"x\"",
           "a GET has no body", "POST"),
      syslog("SyslogPort", "port = «65536", "\"port\" is 65536: out of range", "an integer from 1 to 65535"),
      syslog("SyslogTransport", "transport = «\"quic\"", "\"transport\" is \"quic\"",
             "\"tls\", \"tcp\" or \"udp\""),
      book("PlaybookTarget", "[[playbook.step]]\ncut = [\"his\", «\"moon\"]",
           "no link and no zone is named \"moon\"", "a link, a zone, or \"all\""),
      book("PlaybookTwoThings", "«[[playbook.step]]\ncut = \"all\"\npause = \"x\"", "a step does one thing",
           "one of"),
      book("PlaybookWait", "[[playbook.step]]\nwait = «\"25h\"", "\"wait\" is too long", "24h"),
      book("PlaybookReopen", "[[playbook.step]]\ncut = \"all\"\n[[playbook.reopen]]\ntargets = «\"link:his\"",
           "no link and no zone is named \"link:his\"", "a link, a zone"),
  };
}

}  // namespace sekisho::control
