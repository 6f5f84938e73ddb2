/* The words: what the CSIRT has said, readable by every worker and by the XDP guard at each burst.
 *
 * One value of a pinned BPF_F_MMAPABLE array (or a tmpfs file where there is no bpffs).
 * Writers: the management process, or `sekisho cut --direct`, each holding the words lock (flock). Nobody
 * else. Readers: workers (PROT_READ mapping), the guard (map look-up), the management process. Every field is
 * naturally aligned and is read and written with single loads and stores. Order: a writer stores the words
 * first, then increments `generation` with release; a reader loads `generation` with acquire, then the words.
 * A value that is not exactly `open` reads as cut, so a zeroed region is all cut. Times: CLOCK_MONOTONIC, ns.
 */
#ifndef SEKISHO_ABI_WORDS_H
#define SEKISHO_ABI_WORDS_H

#include "dataplane/abi/limits.h"

#ifdef __cplusplus
#include <cstddef>
#include <cstdint>
#include <type_traits>
typedef std::uint8_t sekisho_u8;
typedef std::uint16_t sekisho_u16;
typedef std::uint32_t sekisho_u32;
typedef std::uint64_t sekisho_u64;
#else
typedef __u8 sekisho_u8;
typedef __u16 sekisho_u16;
typedef __u32 sekisho_u32;
typedef __u64 sekisho_u64;
#endif

#define SEKISHO_WORDS_MAGIC 0x31534452574b4553ull /* "SEKWRDS1" */
#define SEKISHO_WORD_OPEN 0x4e45504fu             /* "OPEN" */
#define SEKISHO_WORD_CUT 0x21545543u              /* "CUT!" */
/* Cut, and the workers end the link's TCP connections with RST both ways. Who does not know it reads cut. */
#define SEKISHO_WORD_CUT_RESET 0x52545543u /* "CUTR" */
/* Partly cut: a live dataplane lets packets pass one end of which is protected (snapshot.h), and nothing
 * else. The second also ends the other TCP connections with RST. Who does not know them reads cut; so does
 * whoever cannot tell protected hosts apart (the guard without its dataplane). No single damaged byte makes
 * one of a cut or open word. */
#define SEKISHO_WORD_PARTIAL 0x54524150u       /* "PART" */
#define SEKISHO_WORD_PARTIAL_RESET 0x52524150u /* "PARR" */

/* kind of a quarantine slot */
#define SEKISHO_QUARANTINE_EMPTY 0u
#define SEKISHO_QUARANTINE_IPV4 4u /* key[0..3], network order, rest zero */
#define SEKISHO_QUARANTINE_IPV6 6u /* key[0..15], network order */
#define SEKISHO_QUARANTINE_MAC 1u  /* key[0..5], as on the wire, rest zero */
#define SEKISHO_QUARANTINE_GONE 2u /* released: skip, do not stop probing */

struct sekisho_access_word {
  sekisho_u64 deadline_ns; /* open only while now < deadline_ns */
  sekisho_u32 state;       /* SEKISHO_WORD_OPEN, or closed */
  sekisho_u32 reserved;
};

struct sekisho_quarantine_slot {
  sekisho_u8 key[16];
  sekisho_u32 kind;
  sekisho_u32 reserved;
  sekisho_u64 until_ns; /* ends by itself at this time; UINT64_MAX: until released */
};

struct sekisho_words {
  sekisho_u64 magic;
  sekisho_u32 version;
  sekisho_u32 size; /* sizeof(struct sekisho_words) */
  sekisho_u64 generation;
  sekisho_u64 quarantine_generation; /* incremented when the quarantine set changes */
  sekisho_u32 quarantine_count;      /* slots in use; 0 lets readers skip the look-up */
  sekisho_u32 reserved;
  sekisho_u64 access_generation; /* incremented when an access word changes */
  sekisho_u64 boot;              /* which boot the times are of; the management process's own */
  sekisho_u64 reserved2;
  sekisho_u32 link[SEKISHO_MAX_LINKS];
  struct sekisho_access_word access[SEKISHO_MAX_ACCESS];
  struct sekisho_quarantine_slot quarantine[SEKISHO_QUARANTINE_SLOTS];
};

/* Index of the link between zones a and b (order does not matter), both < SEKISHO_MAX_ZONES. */
static inline sekisho_u32 sekisho_link_index(sekisho_u32 a, sekisho_u32 b) {
  sekisho_u32 hi = a > b ? a : b;
  sekisho_u32 lo = a > b ? b : a;
  return hi * (hi + 1) / 2 + lo;
}

/* Whether a link's word says partly cut; everything else that is not exactly open is cut. */
static inline int sekisho_word_is_partial(sekisho_u32 word) {
  return word == SEKISHO_WORD_PARTIAL || word == SEKISHO_WORD_PARTIAL_RESET;
}

/* Home slot of a quarantine key given as four 32-bit words in memory order. */
static inline sekisho_u32 sekisho_quarantine_home(sekisho_u32 kind, sekisho_u32 w0, sekisho_u32 w1,
                                                  sekisho_u32 w2, sekisho_u32 w3) {
  sekisho_u32 h = kind * 0x9e3779b1u;
  h = (h ^ w0) * 0x85ebca6bu;
  h = (h ^ (h >> 15) ^ w1) * 0xc2b2ae35u;
  h = (h ^ (h >> 13) ^ w2) * 0x27d4eb2fu;
  h = (h ^ (h >> 16) ^ w3) * 0x165667b1u;
  return (h ^ (h >> 15)) & (SEKISHO_QUARANTINE_SLOTS - 1);
}

#ifdef __cplusplus
static_assert(std::is_standard_layout_v<sekisho_words> && std::is_trivially_copyable_v<sekisho_words>);
static_assert(sizeof(sekisho_access_word) == 16 && sizeof(sekisho_quarantine_slot) == 32);
static_assert(offsetof(sekisho_words, generation) == 16 && offsetof(sekisho_words, link) == 64);
static_assert(offsetof(sekisho_words, access) == 64 + 4 * SEKISHO_MAX_LINKS);
static_assert(offsetof(sekisho_words, quarantine) == 12480 && sizeof(sekisho_words) == 78016);
static_assert((SEKISHO_QUARANTINE_SLOTS & (SEKISHO_QUARANTINE_SLOTS - 1)) == 0);
#endif

#endif
