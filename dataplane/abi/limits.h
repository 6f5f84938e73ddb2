/* Fixed capacities of the contract between the dataplane, the management process and the XDP guard.
 * C-compatible: the guard (eBPF) includes it. Changing any value is a change of kAbiVersion. */
#ifndef SEKISHO_ABI_LIMITS_H
#define SEKISHO_ABI_LIMITS_H

#define SEKISHO_ABI_VERSION 2
#define SEKISHO_MAX_ZONES 64
/* One link per unordered pair of zones, a zone with itself included: 64 * 65 / 2. */
#define SEKISHO_MAX_LINKS 2080
#define SEKISHO_MAX_ACCESS 256
/* Slots of the quarantine set (open addressing); a key lives within SEKISHO_QUARANTINE_PROBES of its home. */
#define SEKISHO_QUARANTINE_SLOTS 2048
#define SEKISHO_QUARANTINE_PROBES 8
#define SEKISHO_MAX_WORKERS 32
#define SEKISHO_MAX_PORTS 64
#define SEKISHO_MAX_INTERFACES 256
#define SEKISHO_MAX_WIRES 128
#define SEKISHO_MAX_RULES 131072
#define SEKISHO_MAX_SCHEDULES 64

#endif
