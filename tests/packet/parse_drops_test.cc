// Every reason that the parser can give, by a frame that earns it, and its sound neighbour that passes.
#include <gtest/gtest.h>

#include <set>

#include "dataplane/packet/parse.h"
#include "tests/packet/fragmenting.h"
#include "tests/packet/site.h"

namespace sekisho::test {
namespace {

const char* const kA = "10.0.0.1";
const char* const kB = "10.0.0.2";
const char* const kA6 = "2001:db8::1";
const char* const kB6 = "2001:db8::2";

FrameBuilder v4() {
  return eth().ip4(kA, kB);
}
FrameBuilder v6() {
  return eth().ip6(kA6, kB6);
}
Bytes udp4() {
  return v4().udp(1000, 53).payload("query").build();
}
Bytes with(Bytes frame, std::size_t at, std::uint8_t value) {
  frame[at] = value;
  return frame;
}

struct Case {
  const char* name;
  DropReason reason;
  Bytes frame;
  std::uint16_t port = 0;
};
std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << c.name;
}

std::vector<Case> cases() {
  using R = DropReason;
  const Bytes error_quote = v4().udp(53, 1000).build();
  std::vector<Case> all = {
      // Ethernet
      {"thirteen_bytes", R::runt, eth().cut_to(13).build()},
      {"longer_than_any_packet", R::giant, Bytes(packet::kMaxFrame + 1, 0)},
      {"port_without_interface", R::interface_unknown, udp4(), 4},
      {"port_beyond_the_table", R::interface_unknown, udp4(), 900},
      {"interface_without_wire", R::wire_none, eth().vlan(20).ip4(kA, kB).udp(1, 2).build(), 2},
      {"tag_cut_off", R::vlan_truncated, eth().vlan(10).ip4(kA, kB).cut_to(17).build()},
      {"second_tag_cut_off", R::vlan_truncated, eth().vlan(10).vlan(11).ip4(kA, kB).cut_to(20).build()},
      {"three_tags", R::vlan_depth, eth().vlan(1).vlan(2).vlan(3).ip4(kA, kB).udp(1, 2).build()},
      {"ethertype_not_listed", R::ethertype_denied, eth().ethertype(0x8847).payload("label").build()},
      {"undefined_length_or_type", R::llc_denied, eth().ethertype(0x05ff).payload("x").build()},
      {"arp_where_denied", R::ethertype_denied, eth().vlan(40).arp(kA, kB).build(), 4},
      {"nd_where_arp_is_denied", R::ethertype_denied,
       eth().vlan(40).ip6("fe80::1", "ff02::2").ttl(255).icmp(133).build(), 4},
      {"llc_where_denied", R::llc_denied, eth().vlan(40).llc({0x42, 0x42, 3}).build(), 4},
      {"llc_shorter_than_it_says", R::llc_denied, eth().llc({0x42, 0x42, 3, 1, 2}).cut_to(18).build()},
      {"llc_of_two_bytes", R::llc_denied, eth().llc({0x42, 0x42}).build()},
      {"ip_in_llc", R::llc_denied, eth().llc({0x06, 0x06, 3, 0x45}).build()},
      {"ip_in_snap", R::llc_denied, eth().llc({0xaa, 0xaa, 3, 0, 0, 0, 0x08, 0x00, 0x45}).build()},
      {"ip6_in_bridge_tunnel_snap", R::llc_denied,
       eth().llc({0xaa, 0xaa, 3, 0, 0, 0xf8, 0x86, 0xdd}).build()},
      {"vlan_in_snap", R::llc_denied, eth().llc({0xaa, 0xaa, 3, 0, 0, 0, 0x81, 0x00, 0, 1}).build()},
      {"snap_cut_off", R::llc_denied, eth().llc({0xaa, 0xaa, 3, 0, 0, 0, 0x08}).build()},
      {"snap_ethertype_not_listed", R::ethertype_denied,
       eth().llc({0xaa, 0xaa, 3, 0, 0, 0, 0x88, 0x47, 1}).build()},
      {"arp_cut_off", R::arp_malformed, eth().arp(kA, kB).cut_to(41).build()},
      {"arp_hardware_type", R::arp_malformed, with(eth().arp(kA, kB).build(), 15, 6)},
      {"arp_protocol_type", R::arp_malformed, with(eth().arp(kA, kB).build(), 16, 9)},
      {"arp_hardware_length", R::arp_malformed, with(eth().arp(kA, kB).build(), 18, 8)},
      {"arp_protocol_length", R::arp_malformed, with(eth().arp(kA, kB).build(), 19, 16)},

      // IPv4
      {"ip4_nineteen_bytes", R::ipv4_truncated, v4().udp(1, 2).cut_to(33).build()},
      {"ip4_options_cut_off", R::ipv4_truncated, v4().udp(1, 2).ip_header_words(15).build()},
      {"ip4_version_5", R::ipv4_version, v4().udp(1, 2).ip_version(5).build()},
      {"ip4_four_words", R::ipv4_header_length, v4().udp(1, 2).ip_header_words(4).build()},
      {"ip4_longer_than_frame", R::ipv4_total_length, v4().udp(1, 2).ip_length(29).build()},
      {"ip4_shorter_than_header", R::ipv4_total_length, v4().udp(1, 2).ip_length(19).build()},
      {"ip4_header_sum", R::ipv4_checksum, v4().udp(1, 2).bad_ip_checksum().build()},
      {"ip4_loose_source_route", R::ipv4_option, v4().ip_options({131, 7, 4, 10, 0, 0, 9}).udp(1, 2).build()},
      {"ip4_strict_source_route", R::ipv4_option,
       v4().ip_options({1, 137, 7, 4, 10, 0, 0, 9}).udp(1, 2).build()},
      {"ip4_option_length_1", R::ipv4_option, v4().ip_options({7, 1, 4, 0}).udp(1, 2).build()},
      {"ip4_option_over_the_end", R::ipv4_option, v4().ip_options({1, 1, 7, 3}).udp(1, 2).build()},
      {"ip4_option_without_length", R::ipv4_option, v4().ip_options({1, 1, 1, 7}).udp(1, 2).build()},
      {"ip4_from_multicast", R::ipv4_address, eth().ip4("224.0.0.1", kB).udp(1, 2).build()},
      {"ip4_from_broadcast", R::ipv4_address, eth().ip4("255.255.255.255", kB).udp(1, 2).build()},
      {"ip4_from_reserved", R::ipv4_address, eth().ip4("240.0.0.1", kB).udp(1, 2).build()},
      {"ip4_from_loopback", R::ipv4_address, eth().ip4("127.0.0.1", kB).udp(1, 2).build()},
      {"ip4_from_this_network", R::ipv4_address, eth().ip4("0.0.0.1", kB).udp(1, 2).build()},
      {"ip4_from_nobody", R::ipv4_address, eth().ip4("0.0.0.0", kB).udp(1, 2).build()},
      {"ip4_piece_from_nobody", R::ipv4_address,
       eth().ip4("0.0.0.0", kB).protocol(17).fragment4(64, true).payload("12345678").build()},

      // IPv6
      {"ip6_39_bytes", R::ipv6_truncated, v6().udp(1, 2).cut_to(53).build()},
      {"ip6_version_4", R::ipv6_version, v6().udp(1, 2).ip_version(4).build()},
      {"ip6_longer_than_frame", R::ipv6_payload_length, v6().udp(1, 2).ip_length(9).build()},
      {"ip6_extension_cut_off", R::ipv6_extension, v6().hop_by_hop().udp(1, 2).ip_length(7).build()},
      {"ip6_extension_longer_than_packet", R::ipv6_extension,
       v6().extension(60, {9, 1, 4, 0, 0, 0, 0}).udp(1, 2).build()},
      {"ip6_option_over_the_end", R::ipv6_extension, v6().hop_by_hop({5, 9, 0, 0, 0, 0}).udp(1, 2).build()},
      {"ip6_jumbo", R::ipv6_extension, v6().hop_by_hop({0xc2, 4, 0, 1, 0, 0}).udp(1, 2).build()},
      {"ip6_hop_by_hop_second", R::ipv6_extension, v6().destination_options().hop_by_hop().udp(1, 2).build()},
      {"ip6_hop_by_hop_twice", R::ipv6_extension, v6().hop_by_hop().hop_by_hop().udp(1, 2).build()},
      {"ip6_destination_options_twice", R::ipv6_extension,
       v6().destination_options().destination_options().udp(1, 2).build()},
      {"ip6_routing_behind_fragment", R::ipv6_extension,
       v6().fragment6(1, 0, false).routing(2).udp(1, 2).build()},
      {"ip6_atomic_fragment_twice", R::ipv6_extension,
       v6().fragment6(1, 0, false).fragment6(1, 0, false).udp(1, 2).build()},
      {"ip6_authentication_too_short", R::ipv6_extension,
       v6().extension(51, {0, 0, 0, 0, 0, 0, 1}).udp(1, 2).build()},
      {"ip6_five_headers", R::ipv6_extension_depth,
       v6().hop_by_hop()
           .destination_options()
           .routing(2)
           .authentication()
           .destination_options()
           .udp(1, 2)
           .build()},
      {"ip6_routing_type_0", R::ipv6_routing_header, v6().routing(0).udp(1, 2).build()},
      {"ip6_segments_left", R::ipv6_routing_header, v6().routing(4, 1).udp(1, 2).build()},
      {"ip6_from_multicast", R::ipv6_address, eth().ip6("ff02::1", kB6).udp(1, 2).build()},
      {"ip6_from_loopback", R::ipv6_address, eth().ip6("::1", kB6).udp(1, 2).build()},
      {"ip6_from_mapped", R::ipv6_address, eth().ip6("::ffff:10.0.0.1", kB6).udp(1, 2).build()},
      {"ip6_from_nobody", R::ipv6_address, eth().ip6("::", kB6).udp(1, 2).build()},
      {"ip6_echo_from_nobody", R::ipv6_address, eth().ip6("::", kB6).echo(1).build()},
      {"ip6_piece_from_nobody", R::ipv6_address,
       eth().ip6("::", kB6).fragment6(1, 8, true).payload("12345678").build()},

      // TCP
      {"tcp_nineteen_bytes", R::tcp_truncated, v4().tcp(1, 2).ip_length(39).build()},
      {"tcp_options_cut_off", R::tcp_truncated, v4().tcp(1, 2).tcp_header_words(6).build()},
      {"tcp_four_words", R::tcp_header_length, v4().tcp(1, 2).tcp_header_words(4).build()},
      {"tcp_option_length_0", R::tcp_option, v4().tcp(1, 2).syn().flags(2).tcp_options({5, 0, 0, 0}).build()},
      {"tcp_option_length_1", R::tcp_option, v4().tcp(1, 2).tcp_options({30, 1, 0, 0}).build()},
      {"tcp_option_over_the_end", R::tcp_option, v4().tcp(1, 2).tcp_options({1, 1, 30, 3}).build()},
      {"tcp_option_without_length", R::tcp_option, v4().tcp(1, 2).tcp_options({1, 1, 1, 30}).build()},
      {"tcp_mss_of_3_bytes", R::tcp_option, v4().tcp(1, 2).tcp_options({2, 3, 5, 0}).build()},
      {"tcp_timestamp_of_8_bytes", R::tcp_option,
       v4().tcp(1, 2).tcp_options({8, 8, 0, 0, 0, 0, 0, 0}).build()},
      {"tcp_no_flags", R::tcp_flags, v4().tcp(1, 2).flags(0).build()},
      {"tcp_syn_fin", R::tcp_flags, v4().tcp(1, 2).flags(3).build()},
      {"tcp_syn_rst", R::tcp_flags, v4().tcp(1, 2).flags(6).build()},
      {"tcp_fin_alone", R::tcp_flags, v4().tcp(1, 2).flags(1).build()},
      {"tcp_xmas", R::tcp_flags, v4().tcp(1, 2).flags(0x29).build()},
      {"tcp_all_flags", R::tcp_flags, v6().tcp(1, 2).flags(0xff).build()},
      {"tcp_sum", R::tcp_checksum, v4().tcp(1, 2).bad_checksum().build()},
      {"tcp_sum_6", R::tcp_checksum, v6().tcp(1, 2).bad_checksum().build()},
      {"tcp_from_port_0", R::port_zero, v4().tcp(0, 2).build()},
      {"tcp_to_port_0", R::port_zero, v4().tcp(1, 0).build()},

      // UDP
      {"udp_seven_bytes", R::udp_truncated, v4().udp(1, 2).ip_length(27).build()},
      {"udp_length_7", R::udp_length, v4().udp(1, 2).udp_length(7).build()},
      {"udp_longer_than_packet", R::udp_length, v4().udp(1, 2).udp_length(9).build()},
      {"udp_reaching_into_padding", R::udp_length, v4().udp(1, 2).udp_length(10).pad_to(60).build()},
      {"udp_sum", R::udp_checksum, v4().udp(1, 2).bad_checksum().build()},
      {"udp_sum_6", R::udp_checksum, v6().udp(1, 2).bad_checksum().build()},
      {"udp_without_sum_6", R::udp_checksum, v6().udp(1, 2).no_udp_checksum().build()},
      {"udp_from_port_0", R::port_zero, v4().udp(0, 2).build()},

      // SCTP
      {"sctp_without_chunk", R::sctp_truncated, v4().sctp(1, 2).build()},
      {"sctp_sum", R::sctp_checksum, v4().sctp(1, 2).payload("chunk123").bad_checksum().build()},
      {"sctp_to_port_0", R::port_zero, v6().sctp(1, 0).payload("chunk123").build()},

      // ICMP
      {"icmp_seven_bytes", R::icmp_truncated, v4().echo(1).ip_length(27).build()},
      {"icmp_sum", R::icmp_checksum, v4().echo(1).bad_checksum().build()},
      {"icmp6_seven_bytes", R::icmp_truncated, v6().echo(1).ip_length(7).build()},
      {"icmp6_sum", R::icmp_checksum, v6().echo(1).bad_checksum().build()},
      {"quote_of_19_bytes", R::icmp_error_malformed,
       eth().ip4(kB, kA).icmp(3, 3).quote(error_quote, 19).build()},
      {"quote_of_7_transport_bytes", R::icmp_error_malformed,
       eth().ip4(kB, kA).icmp(3, 3).quote(error_quote, 27).build()},
      {"quote_of_ip6_in_icmp", R::icmp_error_malformed,
       eth().ip4(kB, kA).icmp(3, 3).quote(v6().udp(1, 2).build()).build()},
      {"quote_of_impossible_header", R::icmp_error_malformed,
       eth().ip4(kB, kA).icmp(3, 3).quote(with(error_quote, 14, 0x44)).build()},
      {"quote_of_options_cut_off", R::icmp_error_malformed,
       eth().ip4(kB, kA).icmp(3, 3).quote(with(error_quote, 14, 0x4f)).build()},
      {"quote_shorter_than_its_header", R::icmp_error_malformed,
       eth().ip4(kB, kA).icmp(3, 3).quote(with(error_quote, 17, 19)).build()},
      {"quote_of_later_fragment", R::icmp_error_malformed,
       eth().ip4(kB, kA).icmp(3, 3).quote(with(error_quote, 21, 9)).build()},
      {"quote_of_an_error", R::icmp_error_malformed,
       eth().ip4(kB, kA).icmp(11).quote(v4().icmp(3, 3).quote(error_quote).build()).build()},
      {"quote_of_somebody_else", R::icmp_error_malformed,
       eth().ip4(kB, "10.0.0.77").icmp(3, 3).quote(error_quote).build()},
      {"quote6_of_39_bytes", R::icmp_error_malformed,
       eth().ip6(kB6, kA6).icmp(1, 4).quote(v6().udp(1, 2).build(), 39).build()},
      {"quote6_of_chain_cut_off", R::icmp_error_malformed,
       eth().ip6(kB6, kA6).icmp(1, 4).quote(v6().hop_by_hop().udp(1, 2).build(), 44).build()},
      {"quote6_of_later_fragment", R::icmp_error_malformed,
       eth().ip6(kB6, kA6).icmp(1, 4).quote(v6().fragment6(1, 8, true).payload("12345678").build()).build()},
      {"quote6_of_an_error", R::icmp_error_malformed,
       eth().ip6(kB6, kA6).icmp(2).quote(v6().icmp(1, 4).quote(v6().udp(1, 2).build()).build()).build()},

      // Neighbour discovery and MLD
      {"nd_from_beyond_the_line", R::nd_malformed,
       eth().ip6("fe80::1", "ff02::1").ttl(254).icmp(134).payload(Bytes(8)).build()},
      {"nd_code_1", R::nd_malformed, eth().ip6("fe80::1", "ff02::2").ttl(255).icmp(133, 1).build()},
      {"nd_too_short", R::nd_malformed, v6().ttl(255).icmp(135).payload(Bytes(15)).build()},
      {"nd_advertisement_not_link_local", R::nd_malformed, v6().ttl(255).icmp(134).payload(Bytes(8)).build()},
      {"nd_option_length_0", R::nd_malformed, v6().ttl(255).icmp(135).payload(Bytes(24)).build()},
      {"mld_hop_limit_2", R::nd_malformed,
       eth().ip6("fe80::1", "ff02::16").ttl(2).hop_by_hop().icmp(143).build()},
      {"mld_query_from_nobody", R::ipv6_address, eth().ip6("::", "ff02::1").ttl(1).icmp(128).build()},
      {"mld_not_link_local", R::nd_malformed, v6().ttl(1).icmp(131).payload(Bytes(16)).build()},
  };
  return all;
}

class ParseDrops : public testing::TestWithParam<Case> {};

TEST_P(ParseDrops, GivesTheReason) {
  const packet::Topology topology = Site().topology();
  TestBurst b;
  b.add(GetParam().frame, GetParam().port);
  packet::parse(b.burst, topology);
  EXPECT_FALSE(b.live(0));
  EXPECT_EQ(b.burst.packet[0].verdict, Verdict::drop);
  EXPECT_EQ(abi::drop_name(b.burst.packet[0].reason), abi::drop_name(GetParam().reason));
}

INSTANTIATE_TEST_SUITE_P(Frames, ParseDrops, testing::ValuesIn(cases()),
                         [](const auto& row) { return std::string(row.param.name); });

// The reasons of the parser's part of the list, so that a new one without a case fails here.
TEST(ParseDropsTest, EveryReasonHasAFrame) {
  std::set<DropReason> seen;
  for (const Case& c : cases()) seen.insert(c.reason);
  for (auto r = static_cast<int>(DropReason::interface_unknown); r <= static_cast<int>(DropReason::port_zero);
       ++r) {
    EXPECT_TRUE(seen.contains(static_cast<DropReason>(r))) << abi::drop_name(static_cast<DropReason>(r));
  }
  EXPECT_TRUE(seen.contains(DropReason::icmp_error_malformed));
  EXPECT_TRUE(seen.contains(DropReason::nd_malformed));
}

// A frame that is cut anywhere is dropped or sound, and never read behind its end (sanitizer builds see
// that).
TEST(ParseDropsTest, EveryPrefixIsJudged) {
  const packet::Topology topology = Site().topology();
  const std::vector<Bytes> frames = {
      v4().ip_options({7, 7, 4, 0, 0, 0, 0})
          .tcp(1, 2)
          .syn()
          .tcp_options({2, 4, 5, 180, 4, 2, 3, 3, 7})
          .payload("x")
          .build(),
      v6().hop_by_hop().routing(2).authentication().destination_options().udp(1, 2).payload("abc").build(),
      eth().ip6(kB6, kA6).icmp(1, 4).quote(v6().hop_by_hop().fragment6(1, 0, true).tcp(1, 2).build()).build(),
      eth().vlan(5).vlan(6).arp(kA, kB).build(),
      eth().llc({0xaa, 0xaa, 3, 0, 0, 0, 0x88, 0xcc, 1, 2}).build()};
  for (const Bytes& whole : frames) {
    for (std::size_t n = 0; n < whole.size(); ++n) {
      TestBurst b;
      b.add(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(n)));
      packet::parse(b.burst, topology);
      EXPECT_FALSE(b.live(0) && whole[12] < 0x81) << n << " of " << whole.size();
    }
  }
}

}  // namespace
}  // namespace sekisho::test
