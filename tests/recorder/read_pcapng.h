// A pcapng as libpcap reads it.
#pragma once

#include <gtest/gtest.h>
#include <pcap/pcap.h>

#include <cstdio>
#include <string>
#include <utility>
#include <vector>

namespace sekisho::test {

struct PcapngRead {
  std::vector<std::pair<std::uint64_t, std::string>> packets;
  std::string error;
};

inline PcapngRead read_pcapng(const std::string& bytes) {
  PcapngRead out;
  FILE* file = fmemopen(const_cast<char*>(bytes.data()), bytes.size(), "rb");
  char why[PCAP_ERRBUF_SIZE] = "";
  pcap_t* pcap = pcap_fopen_offline_with_tstamp_precision(file, PCAP_TSTAMP_PRECISION_NANO, why);
  if (pcap == nullptr) {
    out.error = why;
    fclose(file);
    return out;
  }
  EXPECT_EQ(pcap_datalink(pcap), DLT_EN10MB);
  pcap_pkthdr* h;
  const u_char* data;
  int r;
  while ((r = pcap_next_ex(pcap, &h, &data)) == 1)
    out.packets.emplace_back(
        static_cast<std::uint64_t>(h->ts.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(h->ts.tv_usec),
        std::string(reinterpret_cast<const char*>(data), h->caplen));
  if (r != PCAP_ERROR_BREAK) out.error = pcap_geterr(pcap);
  pcap_close(pcap);
  return out;
}

}  // namespace sekisho::test
