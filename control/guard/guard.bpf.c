/* The XDP guard: runs in the kernel on every kernel-owned port, before the dataplane and without it.
 *
 * For each frame: which interface (port and VLAN tags), is its link open, is a host of it in quarantine; then
 * to the dataplane's socket if the dataplane is alive, else what the link declares: fail_open to the wire's
 * other port, or drop. Whatever it cannot read, it drops. Maps and their contract: dataplane/abi/guard_map.h.
 *
 * The rules of reading VLAN tags are those of dataplane/packet (parse.cc, topology.h): TPIDs 0x8100 and
 * 0x88a8, at most two, VLAN id 0 is a priority tag and counts as none. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/types.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "dataplane/abi/guard_map.h"

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct sekisho_words);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(pinning, LIBBPF_PIN_BY_NAME);
} sekisho_words SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct sekisho_beat);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(pinning, LIBBPF_PIN_BY_NAME);
} sekisho_beat SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries,
         2 * SEKISHO_MAX_INTERFACES); /* old and new ones side by side while they are exchanged */
  __type(key, struct sekisho_guard_key);
  __type(value, struct sekisho_guard_port);
  __uint(pinning, LIBBPF_PIN_BY_NAME);
} sekisho_guard SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, SEKISHO_GUARD_DROPS);
  __type(key, __u32);
  __type(value, __u64);
  __uint(pinning, LIBBPF_PIN_BY_NAME);
} sekisho_guard_drops SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_XSKMAP);
  __uint(max_entries, 64);
  __type(key, __u32);
  __type(value, __u32);
} xsks_map SEC(".maps");

struct quarantine_key {
  __u32 kind;
  __u32 word[4];
};

static __always_inline int count(__u32 what, int action) {
  __u64* n = bpf_map_lookup_elem(&sekisho_guard_drops, &what);
  if (n) *n += 1; /* per CPU, and XDP is not interrupted by itself */
  return action;
}

/* A subprogram of its own, so that the verifier walks its probes once. */
static __noinline int quarantined(const struct sekisho_words* words, const struct quarantine_key* key) {
  __u32 home = sekisho_quarantine_home(key->kind, key->word[0], key->word[1], key->word[2], key->word[3]);
  __u64 now = bpf_ktime_get_ns();
  for (__u32 i = 0; i < SEKISHO_QUARANTINE_PROBES; ++i) {
    const struct sekisho_quarantine_slot* slot =
        &words->quarantine[(home + i) & (SEKISHO_QUARANTINE_SLOTS - 1)];
    __u32 kind = *(const volatile __u32*)&slot->kind;
    if (kind == SEKISHO_QUARANTINE_EMPTY) return 0;
    if (kind != key->kind) continue;
    const __u32* have = (const __u32*)slot->key;
    if (have[0] == key->word[0] && have[1] == key->word[1] && have[2] == key->word[2] &&
        have[3] == key->word[3] && slot->until_ns > now)
      return 1;
  }
  return 0;
}

/* REQUIRES: `bytes` and six more are inside of the frame. */
static __always_inline int mac_quarantined(const struct sekisho_words* words, const __u8* bytes) {
  struct quarantine_key key;
  __builtin_memset(&key, 0, sizeof key);
  key.kind = SEKISHO_QUARANTINE_MAC;
  __builtin_memcpy(key.word, bytes, 6);
  return quarantined(words, &key);
}
static __always_inline int ipv4_quarantined(const struct sekisho_words* words, const __u8* bytes) {
  struct quarantine_key key;
  __builtin_memset(&key, 0, sizeof key);
  key.kind = SEKISHO_QUARANTINE_IPV4;
  __builtin_memcpy(key.word, bytes, 4);
  return quarantined(words, &key);
}
static __always_inline int ipv6_quarantined(const struct sekisho_words* words, const __u8* bytes) {
  struct quarantine_key key;
  __builtin_memset(&key, 0, sizeof key);
  key.kind = SEKISHO_QUARANTINE_IPV6;
  __builtin_memcpy(key.word, bytes, 16);
  return quarantined(words, &key);
}

/* 0: nobody; 1: a host in quarantine; -1: the frame ends before its addresses do. */
static __always_inline int check_hosts(const struct sekisho_words* words, const __u8* frame, const __u8* l3,
                                       const __u8* end, __u16 type) {
  if (mac_quarantined(words, frame) || mac_quarantined(words, frame + 6)) return 1;
  if (type == bpf_htons(ETH_P_IP)) {
    if (l3 + 20 > end) return -1;
    return ipv4_quarantined(words, l3 + 12) || ipv4_quarantined(words, l3 + 16);
  }
  if (type == bpf_htons(ETH_P_IPV6)) {
    if (l3 + 40 > end) return -1;
    return ipv6_quarantined(words, l3 + 8) || ipv6_quarantined(words, l3 + 24);
  }
  if (type == bpf_htons(ETH_P_ARP)) {
    if (l3 + 28 > end) return -1;
    /* Only Ethernet and IPv4 addresses (RFC 826) are at these places; other ARP speaks of no host we know. */
    if (*(const __u16*)l3 != bpf_htons(1) || *(const __u16*)(l3 + 2) != bpf_htons(ETH_P_IP) ||
        *(const __u16*)(l3 + 4) != bpf_htons(6 << 8 | 4))
      return -1;
    return mac_quarantined(words, l3 + 8) || ipv4_quarantined(words, l3 + 14) ||
           mac_quarantined(words, l3 + 18) || ipv4_quarantined(words, l3 + 24);
  }
  return 0;
}

/* Any worker's heartbeat counts: one that hangs is the steward's matter, not ours. */
static __always_inline int dataplane_alive(void) {
  __u32 zero = 0;
  const struct sekisho_beat* beat = bpf_map_lookup_elem(&sekisho_beat, &zero);
  if (!beat) return 0;
  __u64 now = bpf_ktime_get_ns();
  for (__u32 i = 0; i < SEKISHO_MAX_WORKERS; ++i) {
    __u64 at = *(const volatile __u64*)&beat->beat_ns[i];
    if (at == 0) continue;
    /* A beat may come between our clock and its reading; one far in the future is no beat. */
    __u64 age = now > at ? now - at : at - now;
    if (age < SEKISHO_GUARD_STALE_NS) return 1;
  }
  return 0;
}

SEC("xdp")
int sekisho_guard_xdp(struct xdp_md* ctx) {
  __u32 zero = 0;
  const struct sekisho_words* words = bpf_map_lookup_elem(&sekisho_words, &zero);
  if (!words || words->magic != SEKISHO_WORDS_MAGIC || words->version != SEKISHO_ABI_VERSION ||
      words->size != sizeof(struct sekisho_words))
    return count(SEKISHO_GUARD_DROP_NO_WORDS, XDP_DROP);

  const __u8* frame = (const __u8*)(long)ctx->data;
  const __u8* end = (const __u8*)(long)ctx->data_end;
  if (frame + 14 > end) return count(SEKISHO_GUARD_DROP_MALFORMED, XDP_DROP);
  const __u8* l3 = frame + 14;
  __u16 type = *(const __u16*)(frame + 12);
  __u16 tag[3] = {0, 0, 0};
#pragma unroll
  for (int i = 0; i < 3; ++i) {
    if (type != bpf_htons(ETH_P_8021Q) && type != bpf_htons(ETH_P_8021AD)) break;
    if (i == 2 || l3 + 4 > end) return count(SEKISHO_GUARD_DROP_MALFORMED, XDP_DROP);
    tag[i] = bpf_ntohs(*(const __u16*)l3) & 0xfff;
    type = *(const __u16*)(l3 + 2);
    l3 += 4;
  }

  struct sekisho_guard_key key = {
      .ifindex = ctx->ingress_ifindex, .outer_vlan = tag[0], .inner_vlan = tag[1]};
  const struct sekisho_guard_port* port = bpf_map_lookup_elem(&sekisho_guard, &key);
  if (!port && (tag[0] | tag[1]) != 0) {
    key.outer_vlan = key.inner_vlan = 0;
    port = bpf_map_lookup_elem(&sekisho_guard, &key);
  }
  if (!port) return count(SEKISHO_GUARD_DROP_UNKNOWN_INTERFACE, XDP_DROP);
  __u32 link = port->link;
  if (link >= SEKISHO_MAX_LINKS) return count(SEKISHO_GUARD_DROP_CUT, XDP_DROP);
  __u32 word = *(const volatile __u32*)&words->link[link];
  /* Partly cut: only the dataplane tells protected hosts apart. Without it this is a cut. */
  int partial = word != SEKISHO_WORD_OPEN && sekisho_word_is_partial(word);
  if (word != SEKISHO_WORD_OPEN && !partial) return count(SEKISHO_GUARD_DROP_CUT, XDP_DROP);

  if (*(const volatile __u32*)&words->quarantine_count != 0) {
    int hosts = check_hosts(words, frame, l3, end, type);
    if (hosts > 0) return count(SEKISHO_GUARD_DROP_QUARANTINE, XDP_DROP);
    if (hosts < 0) return count(SEKISHO_GUARD_DROP_MALFORMED, XDP_DROP);
  }

  /* The queue may have no socket (any more): then XDP_DROP comes back and the link's failure mode holds. */
  if (dataplane_alive() && bpf_redirect_map(&xsks_map, ctx->rx_queue_index, XDP_DROP) == XDP_REDIRECT)
    return XDP_REDIRECT;
  if (partial) return count(SEKISHO_GUARD_DROP_CUT, XDP_DROP);
  /* Not by a device map: the kernel adds a flag to those, and libbpf then refuses to share a pinned one. */
  if (port->fail_mode == SEKISHO_FAIL_OPEN) {
    int action = bpf_redirect(port->peer_ifindex, 0);
    if (action == XDP_REDIRECT) return count(SEKISHO_GUARD_PASSED_OPEN, action);
  }
  return count(SEKISHO_GUARD_DROP_FAIL_CLOSED, XDP_DROP);
}

char _license[] SEC("license") = "Dual BSD/GPL";
