/* Maps of the XDP guard, by name and layout. C-compatible: the guard includes it.
 *
 * sekisho_words        ARRAY[1] of struct sekisho_words, BPF_F_MMAPABLE, pinned by name in the bpffs root.
 * sekisho_beat         ARRAY[1] of struct sekisho_beat, BPF_F_MMAPABLE, pinned. Written by the workers.
 * sekisho_guard        HASH: struct sekisho_guard_key -> struct sekisho_guard_port, pinned. Written by the
 *                      management process.
 * sekisho_guard_drops  PERCPU_ARRAY[SEKISHO_GUARD_DROPS] of u64, pinned. Written by the guard.
 * xsks_map             XSKMAP, filled by the af_xdp driver. Not pinned. */
#ifndef SEKISHO_ABI_GUARD_MAP_H
#define SEKISHO_ABI_GUARD_MAP_H

#include "dataplane/abi/words.h"

#define SEKISHO_GUARD_STALE_NS                                                 \
  500000000ull /* a heartbeat older than this means that the dataplane is gone \
                */

struct sekisho_beat {
  sekisho_u64 beat_ns[SEKISHO_MAX_WORKERS]; /* CLOCK_MONOTONIC; 0: no such worker */
};

struct sekisho_guard_key {
  sekisho_u32 ifindex;
  sekisho_u16 outer_vlan; /* 0: none */
  sekisho_u16 inner_vlan; /* 0: none */
};

#define SEKISHO_FAIL_CLOSED 0u
#define SEKISHO_FAIL_OPEN 1u

struct sekisho_guard_port {
  sekisho_u32 link;         /* index into sekisho_words.link */
  sekisho_u32 fail_mode;    /* SEKISHO_FAIL_*; an unknown value reads as closed */
  sekisho_u32 peer_ifindex; /* where fail_open sends; same VLAN tags on both sides */
  sekisho_u32 reserved;
};

/* indices of sekisho_guard_drops */
#define SEKISHO_GUARD_DROP_NO_WORDS 0u
#define SEKISHO_GUARD_DROP_UNKNOWN_INTERFACE 1u
#define SEKISHO_GUARD_DROP_CUT 2u
#define SEKISHO_GUARD_DROP_QUARANTINE 3u
#define SEKISHO_GUARD_DROP_FAIL_CLOSED 4u
#define SEKISHO_GUARD_DROP_MALFORMED 5u
#define SEKISHO_GUARD_PASSED_OPEN 6u
#define SEKISHO_GUARD_DROPS 8u

#endif
