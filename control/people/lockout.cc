#include "control/people/lockout.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace sekisho::control {

std::string Lockout::network_of(const std::string& address) {
  in6_addr v6{};
  if (inet_pton(AF_INET6, address.c_str(), &v6) != 1) return address.substr(0, 64);
  if (IN6_IS_ADDR_V4MAPPED(&v6)) return address.substr(0, 64);
  std::memset(v6.s6_addr + 8, 0, 8);
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(AF_INET6, &v6, text.data(), text.size());
  return std::string(text.data()) + "/64";
}

std::uint64_t Lockout::wait_s(const std::string& person, const std::string& address,
                              std::uint64_t now_s) const {
  std::uint64_t until = 0;
  const std::string network = network_of(address);
  if (const auto it = addresses_.find(network); it != addresses_.end()) until = it->second.locked_until_s;
  if (const auto it = persons_.find(person); it != persons_.end()) {
    const auto own = it->second.own.find(network);
    until = std::max(until, own != it->second.own.end() ? own->second.locked_until_s
                                                        : it->second.strangers.locked_until_s);
  }
  return until > now_s ? until - now_s : 0;
}

bool Lockout::count(Count& count, std::uint32_t most, std::uint64_t lock_s, std::uint64_t now_s) {
  // Old failures are forgotten; the monotonic clock never goes back.
  if (now_s - count.since_s > lock_s) count = {0, now_s, 0};
  if (++count.failures < most) return false;
  const bool fresh = count.locked_until_s <= now_s;
  count.locked_until_s = now_s + lock_s;
  count.since_s = now_s;
  return fresh;
}

bool Lockout::failed(const std::string& person, bool known, const std::string& address,
                     const LockoutLimits& limits, std::uint64_t now_s) {
  const std::string network = network_of(address);
  bool locked = false;
  if (known) {
    OfPerson& p = persons_[person];
    const auto own = p.own.find(network);
    locked =
        count(own != p.own.end() ? own->second : p.strangers, limits.person_failures, limits.lock_s, now_s);
  }
  if (!addresses_.contains(network) && addresses_.size() >= kMaxAddresses) make_room(now_s);
  return count(addresses_[network], limits.address_failures, limits.lock_s, now_s) || locked;
}

// The one that has been silent longest and is not locked; if all are locked, the one nearest to its end.
void Lockout::make_room(std::uint64_t now_s) {
  const auto rank = [now_s](const Count& c) {
    return std::pair(c.locked_until_s > now_s ? c.locked_until_s : 0, c.since_s);
  };
  const auto least =
      std::min_element(addresses_.begin(), addresses_.end(),
                       [&](const auto& a, const auto& b) { return rank(a.second) < rank(b.second); });
  addresses_.erase(least);
}

void Lockout::succeeded(const std::string& person, const std::string& address) {
  OfPerson& p = persons_[person];
  const std::string network = network_of(address);
  p.strangers = {};
  if (p.own.size() >= kOwn && !p.own.contains(network)) p.own.erase(p.own.begin());
  p.own[network] = {};
}

void Lockout::forget(const std::string& person) {
  persons_.erase(person);
}

}  // namespace sekisho::control
