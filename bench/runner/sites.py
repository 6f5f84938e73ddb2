"""Configurations to measure with: two zones, one wire, everything accepted behind rules that match nobody."""


def fillers(count):
    """`count` rules that no packet of a benchmark matches, all different."""
    return "".join('[[rule]]\nname = "filler %d"\nfrom = "device"\nto = "his"\ndestination = ["10.%d.%d.%d"]\n'
                   'service = { tcp = %d }\naction = "accept"\n' % (i, 96 + i // 62500, i // 250 % 250, 1 + i % 250, 1 + i % 50)
                   for i in range(count))


ACCEPT = ('[[rule]]\nname = "there"\nfrom = "device"\nto = "his"\naction = "accept"\n'
          '[[rule]]\nname = "back"\nfrom = "his"\nto = "device"\naction = "accept"\n')


def text(rules=100, checksums="verify", devices=("net_null0", "net_null1"), flows=131072, per_source=0, vlan=None,
         idle="poll", memory_mb=1024, mtu=None, cores=(1,), steward=0, more="", tail=""):
    """vlan: the interfaces are that VLAN of their ports. more: keys of the link. tail: sections behind all."""
    out = ('[gateway]\nname = "bench"\nworkers = %d\nsteward_core = %d\ncores = [%s]\nidle = "%s"\nhugepages = false\n'
           'memory_mb = %d\nmax_flows = %d\n' % (len(cores), steward, ", ".join(map(str, cores)), idle, memory_mb, flows))
    out += "[limits]\nflows_per_source = %d\nflows_per_zone_pair = 0\n" % per_source
    out += '[[zone]]\nname = "device"\n[[zone]]\nname = "his"\n'
    for i, device in enumerate(devices):
        out += '[[port]]\nname = "p%d"\ndevice = "%s"\nchecksums = "%s"\n' % (i, device, checksums)
        if mtu is not None:
            out += "mtu = %d\n" % mtu
        out += '[[interface]]\nname = "i%d"\nport = "p%d"\nzone = "%s"\n' % (i, i, ("device", "his")[i])
        if vlan is not None:
            out += "vlan = %d\n" % vlan
    out += '[[wire]]\nname = "line"\nsides = ["i0", "i1"]\n[[link]]\nname = "line"\nzones = ["device", "his"]\n' + more
    return out + fillers(max(0, rules - 2)) + ACCEPT + tail
