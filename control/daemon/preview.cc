#include "control/daemon/preview.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>
#include <unordered_map>

#include "control/daemon/views.h"
#include "control/model/values.h"
#include "dataplane/abi/words.h"

namespace sekisho::control {
using nlohmann::json;

namespace {

constexpr std::size_t kPeersNamed = 10;

// Both hosts, the way and the service: what a person takes for one thing.
struct Key {
  std::uint8_t source[16], destination[16];
  std::uint8_t from_zone, to_zone, protocol, ip_version;
  std::uint16_t port;
  std::uint16_t zero;
  friend bool operator==(const Key& a, const Key& b) { return std::memcmp(&a, &b, sizeof a) == 0; }
};
static_assert(std::has_unique_object_representations_v<Key>);
struct KeyHash {
  std::size_t operator()(const Key& key) const {
    return std::hash<std::string_view>{}({reinterpret_cast<const char*>(&key), sizeof key});
  }
};
struct Group {
  std::uint64_t flows = 0, bytes = 0;
};

Key key_of(const abi::FlowRecord& f) {
  Key k{};
  const std::size_t n = f.ip_version == 6 ? 16 : 4;
  std::memcpy(k.source, f.source, n);
  std::memcpy(k.destination, f.destination, n);
  k.from_zone = f.from_zone;
  k.to_zone = f.to_zone;
  k.protocol = f.protocol;
  k.ip_version = f.ip_version;
  k.port = f.destination_port;
  return k;
}

struct Host {
  std::string name;  // the asset's, else the address
  json view;
  bool is_protected = false;
  std::string ward;
};

Host host_of(const Site& site, std::uint8_t version, const std::uint8_t* bytes) {
  const Address address = address_of(version, bytes);
  Host h;
  h.name = to_string(address);
  h.view = {{"address", h.name}};
  const Asset* asset = site.assets ? site.assets->find(address) : nullptr;
  if (asset == nullptr) return h;
  h.name = asset->name;
  h.ward = asset->ward;
  h.is_protected = asset->is_protected;
  h.view["name"] = asset->name;
  if (!asset->ward.empty()) h.view["ward"] = asset->ward;
  if (!asset->phone.empty()) h.view["phone"] = asset->phone;
  if (!asset->vendor.empty()) h.view["vendor"] = asset->vendor;
  if (asset->is_protected) h.view["protected"] = true;
  return h;
}

json row_view(const Site& site, const Key& k, const Group& group, bool is_protected) {
  const Host source = host_of(site, k.ip_version, k.source);
  const Host destination = host_of(site, k.ip_version, k.destination);
  const ServiceWords service = service_words(site, k.protocol, k.port);
  const std::string way = source.name + " → " + destination.name;
  return {{"text", {{"en", way + ", " + service.en}, {"ja", way + "、" + service.ja}}},
          {"link", site.link_name(static_cast<std::uint16_t>(sekisho_link_index(k.from_zone, k.to_zone)))},
          {"from", site.zone_name(k.from_zone)},
          {"to", site.zone_name(k.to_zone)},
          {"source", source.view},
          {"destination", destination.view},
          {"service", service_name(site, k.protocol, k.port)},
          {"flows", group.flows},
          {"bytes", group.bytes},
          {"protected", is_protected}};
}

// A server and who needs it.
struct Server {
  Host host;
  std::set<std::string> peers, wards, services;
  std::uint64_t flows = 0, bytes = 0;
};

}  // namespace

ServiceWords service_words(const Site& site, std::uint8_t protocol, std::uint16_t port) {
  struct Known {
    std::uint8_t protocol;
    std::uint16_t port;
    const char *en, *ja;
  };
  // IANA's ports, and those that DICOM (PS3.8) and HL7 sites use.
  static constexpr Known kKnown[] = {{6, 104, "DICOM store", "DICOM 画像保存"},
                                     {6, 11112, "DICOM store", "DICOM 画像保存"},
                                     {6, 2762, "DICOM over TLS", "DICOM (TLS)"},
                                     {6, 2575, "HL7 messages", "HL7 メッセージ"},
                                     {6, 3389, "remote desktop", "リモートデスクトップ"},
                                     {17, 3389, "remote desktop", "リモートデスクトップ"},
                                     {6, 22, "SSH", "SSH"},
                                     {6, 445, "file sharing", "ファイル共有"},
                                     {6, 443, "HTTPS", "HTTPS"},
                                     {6, 80, "HTTP", "HTTP"},
                                     {17, 53, "name service", "名前解決 (DNS)"},
                                     {6, 53, "name service", "名前解決 (DNS)"},
                                     {17, 123, "clock (NTP)", "時刻同期 (NTP)"},
                                     {6, 389, "directory", "ディレクトリ"},
                                     {6, 88, "logon (Kerberos)", "認証 (Kerberos)"},
                                     {17, 88, "logon (Kerberos)", "認証 (Kerberos)"},
                                     {6, 1433, "database", "データベース"},
                                     {6, 1521, "database", "データベース"},
                                     {6, 1972, "database", "データベース"},
                                     {6, 25, "mail", "メール"}};
  for (const Known& k : kKnown)
    if (k.protocol == protocol && k.port == port) return {k.en, k.ja};
  if (protocol == 1 || protocol == 58) return {"ping", "ping"};
  std::string name = service_name(site, protocol, port);
  return {name, name};
}

json preview_view(const Site& site, const LinkSet& links, const std::vector<abi::FlowRecord>& flows,
                  bool partial) {
  std::unordered_map<Key, Group, KeyHash> groups;
  groups.reserve(std::min<std::size_t>(flows.size(), 1u << 17));
  std::uint64_t total = 0, bytes = 0;
  for (const abi::FlowRecord& f : flows) {
    if (!links.test(sekisho_link_index(f.from_zone, f.to_zone))) continue;
    ++total;
    const std::uint64_t b = f.bytes_to_destination + f.bytes_to_source;
    bytes += b;
    Group& g = groups[key_of(f)];
    ++g.flows;
    g.bytes += b;
  }

  struct Row {
    const Key* key;
    const Group* group;
    bool is_protected;
  };
  std::vector<Row> rows, staying;
  rows.reserve(groups.size());
  std::uint64_t protected_flows = 0, stay_flows = 0, stay_bytes = 0;
  std::map<std::string, json> protected_hosts;
  std::unordered_map<std::string, Server> servers;
  for (const auto& [key, group] : groups) {
    const Host source = host_of(site, key.ip_version, key.source);
    const Host destination = host_of(site, key.ip_version, key.destination);
    const bool is_protected = source.is_protected || destination.is_protected;
    const bool stays = partial && is_protected;
    (stays ? staying : rows).push_back({&key, &group, is_protected});
    if (is_protected) {
      protected_flows += group.flows;
      for (const Host* h : {&source, &destination})
        if (h->is_protected && protected_hosts.size() < kPreviewGroups)
          protected_hosts.emplace(h->name, h->view);
    }
    if (stays) {
      stay_flows += group.flows;
      stay_bytes += group.bytes;
      continue;
    }
    Server& server = servers[destination.view.at("address").get<std::string>()];
    if (server.flows == 0) server.host = destination;
    server.flows += group.flows;
    server.bytes += group.bytes;
    server.peers.insert(source.name);
    if (!source.ward.empty()) server.wards.insert(source.ward);
    server.services.insert(service_words(site, key.protocol, key.port).en);
  }
  // Protected first, then what carried most.
  const auto listed = [&](std::vector<Row>& all) {
    const std::size_t shown = std::min(all.size(), kPreviewGroups);
    std::partial_sort(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(shown), all.end(),
                      [](const Row& a, const Row& b) {
                        return std::tuple(b.is_protected, b.group->bytes, b.group->flows) <
                               std::tuple(a.is_protected, a.group->bytes, a.group->flows);
                      });
    json out = json::array();
    for (std::size_t i = 0; i < shown; ++i)
      out.push_back(row_view(site, *all[i].key, *all[i].group, all[i].is_protected));
    return out;
  };
  const json would_end = listed(rows), stays = listed(staying);

  std::vector<const Server*> order;
  for (const auto& [address, server] : servers) order.push_back(&server);
  std::sort(order.begin(), order.end(), [](const Server* a, const Server* b) {
    return std::tuple(b->peers.size(), b->bytes) < std::tuple(a->peers.size(), a->bytes);
  });
  json depends = json::array();
  for (const Server* s : order) {
    if (depends.size() == kPreviewServers) break;
    json names = json::array();
    for (const std::string& name : s->peers)
      if (names.size() < kPeersNamed) names.push_back(name);
    depends.push_back({{"host", s->host.view},
                       {"name", s->host.name},
                       {"services", s->services},
                       {"hosts", s->peers.size()},
                       {"names", names},
                       {"wards", s->wards},
                       {"flows", s->flows},
                       {"bytes", s->bytes}});
  }

  json named = json::array();
  bool clinical = false;
  for (const Link& l : site.model.links) {
    if (!links.test(sekisho_link_index(l.zone_a, l.zone_b))) continue;
    named.push_back({{"link", l.name}, {"clinical", l.clinical}});
    clinical = clinical || l.clinical;
  }
  json protected_list = json::array();
  for (auto& [name, view] : protected_hosts) protected_list.push_back(std::move(view));
  json out = {{"links", named},
              {"flows", total - stay_flows},
              {"bytes", bytes - stay_bytes},
              {"groups", rows.size()},
              {"protected_flows", protected_flows},
              {"protected", protected_list},
              {"would_end", would_end},
              {"depends", depends},
              {"clinical", clinical},
              {"ask_again", !partial && (clinical || protected_flows > 0)}};
  if (partial) {
    out["partial"] = true;
    out["stays"] = stays;
    out["stay_flows"] = stay_flows;
    out["stay_bytes"] = stay_bytes;
    out["stay_groups"] = staying.size();
  }
  return out;
}

}  // namespace sekisho::control
