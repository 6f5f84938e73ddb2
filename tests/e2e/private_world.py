"""A process in namespaces of its own: how tests and benchmarks get a machine to themselves."""
import os
import subprocess

UNSHARE = ["unshare", "--mount", "--net", "--pid", "--fork", "--mount-proc", "--kill-child", "--propagation", "private"]


def private_world():
    """REQUIRES: own mount, network and PID namespaces. Fresh /run, /var/lib, /var/log, sysfs and bpffs."""
    def mount(kind, where):
        subprocess.run(["mount", "-t", kind, kind, where], check=True)
    for where in ("/run", "/var/lib", "/var/log"):
        mount("tmpfs", where)
    for where in ("/run/netns", "/run/lab", "/var/log/sekisho"):
        os.makedirs(where)
    mount("sysfs", "/sys")
    mount("bpf", "/sys/fs/bpf")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
