"""Sorts states with Salt: high data on stdin, for each the order of its low data, or null."""

import json
import pathlib
import sys
import tempfile

import salt.config
import salt.state


def sort(state, high):
    high, errors = state.requisite_in(high)
    if errors:
        return None
    chunks, errors = state.compile_high_data(high)
    if errors:
        return None
    return [[low["state"], low["__id__"], low["name"], low["order"]] for low in chunks]


def main():
    documents = json.load(sys.stdin)
    with tempfile.TemporaryDirectory() as scratch:
        base = pathlib.Path(scratch)
        opts = salt.config.minion_config(None, minion_id="labs")
        opts.update(
            root_dir=scratch, cachedir=str(base / "cache"), pki_dir=str(base / "pki"),
            conf_file=str(base / "minion"), sock_dir=str(base / "sock"), file_client="local",
            file_roots={"base": []}, pillar_roots={"base": []}, grains={"os": "Debian"},
            extension_modules=str(base / "ext"), multiprocessing=False,
        )
        state = salt.state.State(opts)
        answers = [sort(state, high) for high in documents]
    print("\n" + json.dumps(answers))


if __name__ == "__main__":
    main()
