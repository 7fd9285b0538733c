#!/usr/bin/env python3
"""Records which names Salt gives to distributions.

    python agent/states/tests/record_releases.py

tests/releases.json holds the release files of distributions; the script adds to each the grains that
Salt makes of them. Run it with a Python that has Salt.
"""

import json
import pathlib
import tempfile

import distro
import salt.grains.core as core
import salt.utils.files

FILE = pathlib.Path(__file__).parent / "releases.json"
WANTED = ["os", "os_family", "osfullname", "osrelease", "oscodename", "lsb_distrib_id",
          "lsb_distrib_release", "lsb_distrib_codename", "lsb_distrib_description"]


def grains(files):
    with tempfile.TemporaryDirectory() as scratch:
        root = pathlib.Path(scratch)
        for path, text in files.items():
            file = root / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        own = distro.LinuxDistribution(
            include_lsb=False, include_uname=False, root_dir=str(root))
        info = own.info
        core._linux_distribution = lambda: (own.name(), own.version(best=True), own.codename())
        real = salt.utils.files.fopen

        def fopen(path, *args, **kwargs):
            return real(root / str(path).lstrip("/"), *args, **kwargs)

        release = {}
        for line in files.get("/etc/os-release", "").splitlines():
            if "=" in line:
                key, value = line.split("=", 1)
                release[key] = value.strip("\"'")
        core._freedesktop_os_release = lambda: release
        salt.utils.files.fopen = fopen
        try:
            found = core._linux_distribution_data()
        finally:
            salt.utils.files.fopen = real
        out = {key: found[key] for key in WANTED if key in found}
        if out.get("osrelease"):
            out |= core._osrelease_data(out["os"], out["osfullname"], out["osrelease"])
        return out


cases = json.loads(FILE.read_text())
for case in cases.values():
    case["grains"] = grains(case["files"])
FILE.write_text(json.dumps(cases, indent=1, ensure_ascii=False) + "\n")
