#!/usr/bin/env python3
"""Applies the SLS `a` of a folder with Salt, twice, in this process; prints a line of figures each.

    python agent/states/benches/thousand/with_salt.py BASE     BASE has salt/; the cache goes there, too
"""

import pathlib
import resource
import sys
import time


def main(base):
    import salt.config
    import salt.minion

    opts = salt.config.minion_config(None, minion_id="bench")
    opts.update(
        root_dir=str(base / "salt-root"), cachedir=str(base / "cache"), pki_dir=str(base / "pki"),
        conf_file=str(base / "minion"), sock_dir=str(base / "sock"), file_client="local",
        file_roots={"base": [str(base / "salt")]}, pillar_roots={"base": [str(base / "pillar")]},
        multiprocessing=False,
    )
    (base / "cache" / "proc").mkdir(parents=True, exist_ok=True)
    minion = salt.minion.SMinion(opts)
    for _ in range(2):
        before = resource.getrusage(resource.RUSAGE_SELF)
        start = time.monotonic()
        returned = minion.functions["state.apply"]("a")
        wall = time.monotonic() - start
        after = resource.getrusage(resource.RUSAGE_SELF)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        changed = sum(1 for state in returned.values() if state["changes"])
        print(f"@@ {wall * 1e3:.1f} {cpu * 1e3:.1f} {after.ru_maxrss / 1024:.1f} {changed}")


main(pathlib.Path(sys.argv[1]))
