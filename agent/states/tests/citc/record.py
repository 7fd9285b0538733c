#!/usr/bin/env python3
"""Records the low data that Salt makes of the tree in ../citc-salt, for a worker and a head node.

    python agent/states/tests/citc/record.py     with a Python that has Salt 3008.5
"""

import json
import pathlib
import shutil
import tempfile

import salt.config
import salt.minion

HERE = pathlib.Path(__file__).resolve().parent
GRAINS = {"master": "head.example.org", "fqdn": "head.example.org", "os": "CentOS",
          "os_family": "RedHat"}
# What the head node gets is not in the tree's own top file; graphite and httpd are refused by Salt.
HEAD = """base:
  'head':
    - firewall.hn
    - nfs.server
    - torque.server
    - maui
    - nova
    - dynamiccluster
"""


def low(name, top):
    with tempfile.TemporaryDirectory() as scratch:
        base = pathlib.Path(scratch)
        shutil.copytree(HERE.parent / "citc-salt" / "srv", base / "srv")
        if top:
            (base / "srv" / "salt" / "top.sls").write_text(top)
        (base / "minion").write_text(json.dumps({"grains": GRAINS}))
        opts = salt.config.minion_config(None, minion_id=name)
        opts.update(
            root_dir=scratch, cachedir=str(base / "cache"), pki_dir=str(base / "pki"),
            conf_file=str(base / "minion"), sock_dir=str(base / "sock"), file_client="local",
            file_roots={"base": [str(base / "srv" / "salt")]},
            pillar_roots={"base": [str(base / "srv" / "pillar")]},
            extension_modules=str(base / "ext"), multiprocessing=False,
        )
        (base / "cache" / "proc").mkdir(parents=True)
        minion = salt.minion.SMinion(opts)
        return minion.functions["state.show_lowstate"]()


for role, name, top in [("worker", "dynamicwn-1", None), ("head", "head", HEAD)]:
    answer = low(name, top)
    (HERE / f"{role}.low.json").write_text(json.dumps(answer, indent=1) + "\n")
    print(f"{role}: {len(answer)} states")
