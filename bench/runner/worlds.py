"""Parts that need a machine of their own: each runs in namespaces, as a process whose figures come back as a file."""
import os
import shutil
import signal
import subprocess
import sys

from figures import Figures, load
from served import Missing, Programs

HERE = os.path.dirname(os.path.realpath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))
# Laboratory and peers: beside the runner where it is installed, else in their places in the source.
for _folder in ("tests/e2e", "scripts/bench.d"):
    if os.path.isdir(os.path.join(SOURCE, _folder)) and not os.path.exists(os.path.join(HERE, "lab.py")):
        sys.path.append(os.path.join(SOURCE, _folder))
NAMES = ("sekisho", "sekishod", "sekisho-dataplane")


def parts():
    import endpoints
    import ports
    return {**ports.PARTS, **endpoints.PARTS}


def inside(sekisho, name, out, quick, signatures):
    """The only process of a private world."""
    from private_world import private_world
    private_world()
    programs = Programs(sekisho)
    os.makedirs("/run/lab/bin", exist_ok=True)
    for one in NAMES:
        os.symlink(programs.path(one), "/run/lab/bin/" + one)
    os.environ["SEKISHO_BUILD"] = "/run/lab/bin"
    os.chmod("/run/lab", 0o755)
    figures = Figures("part", {})
    function = parts()[name][3]
    try:
        function(programs, figures, quick, **({"signatures": signatures} if name.startswith("endpoints/") else {}))
    except Exception as why:  # what was measured until then is kept
        figures.data["failed"] = " ".join(("%s: %s" % (type(why).__name__, why)).split())[:400]
    figures.save(out)
    return 0


def run(name, programs, folder, figures, options, limit):
    """Merges the part's figures; raises with its reason."""
    if os.geteuid() != 0:
        raise Missing("needs root (network namespaces)")
    from private_world import UNSHARE
    if shutil.which("unshare") is None:
        raise Missing("unshare is not installed")
    out = os.path.join(folder, name.replace("/", "-") + ".json")
    command = [*UNSHARE, sys.executable, "-B", os.path.join(HERE, "main.py"), "--sekisho", programs.sekisho, "inside", name, "--out", out]
    command += ["--quick"] if options.mode == "quick" else []
    command += ["--signatures", os.path.abspath(options.signatures)] if options.signatures else []
    log = os.path.join(folder, "part.log")
    with open(log, "wb") as text:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=text, stderr=text, start_new_session=True)
        try:
            process.wait(limit)
        except subprocess.TimeoutExpired:
            raise RuntimeError("not done after %d s" % limit) from None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)  # the namespace's init, and so all in it
                process.wait()
    if not os.path.exists(out):
        with open(log, encoding="utf-8", errors="replace") as text:
            raise RuntimeError("exit %d: %s" % (process.returncode, text.read().strip()[-300:]))
    told = load(out)
    for kind in ("figures", "curves", "histograms", "warnings", "selfcheck"):
        figures.data[kind] += told[kind]
    if told.get("failed"):
        raise RuntimeError(told["failed"])
