// HASSH (Salesforce, 2018): MD5 of "kex;encryption;mac;compression", the lists as they were sent, each side's
// own direction. KEXINIT: RFC 4253 §7.1.
#include <array>

#include "dataplane/app/ja3.h"
#include "dataplane/app/ssh.h"
#include "dataplane/base/bytes.h"

namespace sekisho::app {

// `payload` begins behind the message number.
void SshParser::hassh(Direction d, Bytes payload, Host& host) {
  const bool client = d == Direction::to_server;
  if (tx_ == nullptr || (tx_->finished & 1u << index(d)) != 0) return;
  std::array<Bytes, 10> lists;
  bool good = payload.size() >= 16;
  if (good) payload = payload.subspan(16);  // cookie
  for (Bytes& list : lists) {
    if (!good) break;
    good = payload.size() >= 4 && payload.size() - 4 >= load_be32(payload.data());
    if (!good) break;
    list = payload.subspan(4, load_be32(payload.data()));
    payload = payload.subspan(4 + list.size());
  }
  if (!good) {
    host.event(tx_, d, AppEvent::ssh_invalid_record);
    return;
  }
  const unsigned own = client ? 0 : 1;
  const std::uint8_t semicolon[] = {';'};
  Side& side = tx_->of(d);
  const Buffer text = client ? Buffer::ssh_hassh_string : Buffer::ssh_hassh_server_string;
  if (!side.add(text,
                {lists[0], semicolon, lists[2 + own], semicolon, lists[4 + own], semicolon, lists[6 + own]}))
    return;
  const Side::Entry* string = side.find(text);
  side.add(client ? Buffer::ssh_hassh : Buffer::ssh_hassh_server,
           md5_hex(Bytes(string->bytes, string->size)));
  host.evaluate(*tx_, d, false);
}

void SshParser::log(Host& host) {
  if (logged_ || !host.wants_log(AppProtocol::ssh)) return;
  logged_ = true;
  Host::Field fields[6];
  std::size_t n = 0;
  const auto put = [&](const char* key, Direction d, Buffer id) {
    if (const Side::Entry* e = tx_->of(d).find(id)) fields[n++] = {key, Bytes(e->bytes, e->size)};
  };
  put("client_proto", Direction::to_server, Buffer::ssh_proto);
  put("client_software", Direction::to_server, Buffer::ssh_software);
  put("hassh", Direction::to_server, Buffer::ssh_hassh);
  put("server_proto", Direction::to_client, Buffer::ssh_proto);
  put("server_software", Direction::to_client, Buffer::ssh_software);
  put("hassh_server", Direction::to_client, Buffer::ssh_hassh_server);
  host.log(tx_, AppProtocol::ssh, {fields, n});
}

}  // namespace sekisho::app
