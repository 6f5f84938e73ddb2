// Mail and webhooks, by libcurl.
#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <mutex>

#include "control/model/read_text.h"
#include "control/notice/send.h"

namespace sekisho::control {
namespace {

constexpr long kConnectSeconds = 10, kWholeSeconds = 30;
constexpr std::size_t kMostAnswer = 4096, kMostPassword = 1024;

struct Transfer {
  std::string body;
  std::size_t sent = 0;
  std::string answer;
  const std::atomic<bool>* stop = nullptr;
};

std::size_t read_body(char* to, std::size_t size, std::size_t count, void* self) {
  auto& t = *static_cast<Transfer*>(self);
  const std::size_t n = std::min(size * count, t.body.size() - t.sent);
  std::memcpy(to, t.body.data() + t.sent, n);
  t.sent += n;
  return n;
}

std::size_t keep_answer(char* from, std::size_t size, std::size_t count, void* self) {
  auto& t = *static_cast<Transfer*>(self);
  t.answer.append(from, std::min(size * count, kMostAnswer - std::min(kMostAnswer, t.answer.size())));
  return size * count;
}

int look_up(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<Transfer*>(self)->stop->load() ? 1 : 0;
}

struct List {
  curl_slist* head = nullptr;
  void add(const std::string& line) { head = curl_slist_append(head, line.c_str()); }
  ~List() { curl_slist_free_all(head); }
};

class NetworkDelivery final : public Delivery {
 public:
  NetworkDelivery() {
    static std::once_flag once;
    std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  }

  std::string deliver(const NoticeReceiver& r, const Letter& letter, const std::atomic<bool>& stop) override {
    if (r.via == NoticeReceiver::Via::syslog) return send_syslog(r, syslog_of(letter, r), stop);
    const std::unique_ptr<CURL, void (*)(CURL*)> handle(curl_easy_init(), curl_easy_cleanup);
    if (!handle) return "libcurl: out of memory";
    CURL* curl = handle.get();
    Transfer transfer;
    transfer.stop = &stop;
    char error[CURL_ERROR_SIZE] = "";
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, kWholeSeconds);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "smtp,smtps,http,https");
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, look_up);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &transfer);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, keep_answer);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &transfer);
    if (!r.ca_file.empty()) curl_easy_setopt(curl, CURLOPT_CAINFO, r.ca_file.c_str());
    if (!r.user.empty()) {
      const auto password = read_text(r.password_file, kMostPassword);
      if (!password) return r.password_file + ": " + password.what;
      const std::string secret = (*password).substr(0, (*password).find_first_of("\r\n"));
      curl_easy_setopt(curl, CURLOPT_USERNAME, r.user.c_str());
      curl_easy_setopt(curl, CURLOPT_PASSWORD, secret.c_str());
    }
    List list;
    const bool mail = r.via == NoticeReceiver::Via::smtp;
    const std::string url = mail ? r.url : fill_template(r.url, letter, r, Escape::url);
    curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
    if (mail) {
      transfer.body = mail_of(letter, r);
      for (const std::string& to : r.to) list.add("<" + to + ">");
      curl_easy_setopt(curl, CURLOPT_MAIL_FROM, ("<" + r.from + ">").c_str());
      curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, list.head);
      curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
      curl_easy_setopt(curl, CURLOPT_READFUNCTION, read_body);
      curl_easy_setopt(curl, CURLOPT_READDATA, &transfer);
      if (r.starttls) curl_easy_setopt(curl, CURLOPT_USE_SSL, static_cast<long>(CURLUSESSL_ALL));
    } else if (r.post) {
      transfer.body =
          r.body.empty()
              ? default_body(letter, r)
              : fill_template(r.body, letter, r,
                              r.content_type.find("json") != std::string::npos         ? Escape::json
                              : r.content_type.find("urlencoded") != std::string::npos ? Escape::url
                                                                                       : Escape::none);
      list.add("Content-Type: " + r.content_type);
      curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list.head);
      curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(transfer.body.size()));
      curl_easy_setopt(curl, CURLOPT_POSTFIELDS, transfer.body.c_str());
    }
    const CURLcode done = curl_easy_perform(curl);
    if (done != CURLE_OK) return fmt::format("{}: {}", r.url, *error ? error : curl_easy_strerror(done));
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (!mail && (status < 200 || status > 299)) return fmt::format("{}: answered {}", r.url, status);
    return {};
  }
};

}  // namespace

std::unique_ptr<Delivery> make_network_delivery() {
  return std::make_unique<NetworkDelivery>();
}

}  // namespace sekisho::control
