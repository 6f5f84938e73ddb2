"""Network namespaces, and sockets that live in them. Linux, root."""
import contextlib
import ctypes
import os
import subprocess
import threading

_libc = ctypes.CDLL("libc.so.6", use_errno=True)
CLONE_NEWNET = 0x40000000


def _setns(fd):
    if _libc.setns(fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def run(*command, **options):
    """Runs a command; its output becomes part of the error if it fails."""
    options.setdefault("timeout", 30)
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          **options)
    if done.returncode != 0:
        raise RuntimeError("%s: exit %d: %s" % (" ".join(map(str, command)), done.returncode, done.stdout.strip()))
    return done.stdout


class Host:
    """A namespace with one interface `eth0` towards the gateway. Any thread may use it."""

    def __init__(self, name, mac, ip4, ip6, gateway_interface, mtu=1500):
        self.name, self.mac, self.ip4, self.ip6 = name, mac, ip4, ip6
        self.gateway_interface = gateway_interface
        run("ip", "netns", "add", name)
        run("ip", "link", "add", gateway_interface, "mtu", mtu, "type", "veth", "peer", "name", "eth0", "netns", name,
            "address", mac, "mtu", mtu)
        self._namespace = os.open("/run/netns/" + name, os.O_RDONLY | os.O_CLOEXEC)
        # Real frames on the wire: no super-packets, no checksum left to a NIC that does not exist.
        off = ["tx", "off", "rx", "off", "tso", "off", "gso", "off", "gro", "off",
               "txvlan", "off", "rxvlan", "off"]
        run("ethtool", "-K", gateway_interface, *off)
        with self:
            run("ethtool", "-K", "eth0", *off)
            _write("/proc/sys/net/ipv6/conf/eth0/accept_dad", "0")
            _write("/proc/sys/net/ipv6/conf/eth0/router_solicitations", "0")
            run("ip", "link", "set", "lo", "up")
            run("ip", "addr", "add", ip4 + "/24", "dev", "eth0")
            run("ip", "-6", "addr", "add", ip6 + "/64", "dev", "eth0", "nodad")
            run("ip", "link", "set", "eth0", "up")
        for setting in ("disable_ipv6",):
            _write("/proc/sys/net/ipv6/conf/%s/%s" % (gateway_interface, setting), "1")
        run("ip", "link", "set", gateway_interface, "up")

    # `with host:` puts the calling thread into the namespace; sockets made there stay there. One thread at a
    # time may nest it, so the way back is kept per thread.
    _local = threading.local()

    def __enter__(self):
        stack = self._local.__dict__.setdefault("stack", [])
        stack.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC))
        _setns(self._namespace)
        return self

    def __exit__(self, *_):
        back = self._local.stack.pop()
        _setns(back)
        os.close(back)

    def command(self, *command, **options):
        return run("ip", "netns", "exec", self.name, *command, **options)


def _write(path, value):
    with contextlib.suppress(FileNotFoundError), open(path, "w", encoding="ascii") as setting:
        setting.write(value)
