"""How soon the console is there: loads in Chromium with an empty cache, served by sekisho-api over TLS.

Both ends are on this machine: what the network between them adds is not in it.
"""
import os
import shutil

from micro import summary


def find(build):
    """REQUIRES: before the laboratory is imported. Says where this build has what the browser needs."""
    os.environ.setdefault("SEKISHO_CONSOLE", os.path.join(build, "control", "console", "console"))
    os.environ.setdefault("SEKISHO_CONSOLE_MODULES", os.path.join(build, "control", "console", "work"))
    for path in (os.path.join(build, "sekisho-api"), os.path.join(build, "control", "front", "sekisho-api")):
        if os.path.isfile(path):
            os.symlink(os.path.realpath(path), "/run/lab/bin/sekisho-api")
            return


def needs():
    if shutil.which("chromium") is None:
        raise RuntimeError("chromium is not installed")
    for needed in (os.environ["SEKISHO_CONSOLE"] + "/index.html", os.environ["SEKISHO_CONSOLE_MODULES"] + "/node_modules",
                   "/run/lab/bin/sekisho-api"):
        if not os.path.exists(needed):
            raise RuntimeError("the build has no %s" % os.path.basename(needed))


def loads(quick, drawn, logged_in):
    needs()
    from chromium import URL, ConsoleLab
    seen = []
    with ConsoleLab() as gateway:
        page = gateway.browser.open("one")
        if logged_in:
            page.log_in(gateway.person("one", "operator"))
        for i in range(7 if quick else 13):
            paint = page.paint(url=URL, at=drawn)
            if i >= 2:  # the first ones start processes of Chromium
                seen.append(paint)
    first = summary([one["first"] for one in seen], "ms")
    size = max(one["bytes"] for one in seen)
    return seen, "first contentful paint %(median).0f ms (%(min).0f to %(max).0f)" % first + ", %d bytes of page" % size


def paint_login_ms(quick):
    seen, note = loads(quick, "input[name=user]", False)
    return summary([one["drawn"] for one in seen], "ms", note=note)


def paint_map_ms(quick):
    seen, note = loads(quick, "main [data-link]", True)
    return summary([one["drawn"] for one in seen], "ms", note=note)
