"""Applies state trees with Salt: on stdin a list of {file: text}; for each what a dry run and a run return."""

import json
import logging
import os
import pathlib
import shutil
import sys
import tempfile

import salt.config
import salt.exceptions
import salt.minion


def apply(minion, test):
    context = minion.functions.pack["__context__"]
    for key in [key for key in context if "state" in key.lower() or "fileclient" in key.lower()]:
        context.pop(key)
    try:
        return minion.functions["state.apply"]("a", test=test)
    except Exception as error:  # Salt itself has stopped: there is nothing to compare with.
        return f"{type(error).__name__}: {error}"


def main():
    documents = json.load(sys.stdin)
    root = pathlib.Path(sys.argv[1])
    os.environ.update(SHELL="/bin/sh", HOME="/root")
    logging.disable(logging.CRITICAL)
    answers = []
    with tempfile.TemporaryDirectory() as scratch:
        base = pathlib.Path(scratch)
        (base / "cache" / "proc").mkdir(parents=True)
        (base / "minion").write_text("{}")
        opts = salt.config.minion_config(None, minion_id="labs")
        opts.update(
            root_dir=scratch, cachedir=str(base / "cache"), pki_dir=str(base / "pki"),
            conf_file=str(base / "minion"), sock_dir=str(base / "sock"), file_client="local",
            file_roots={"base": [str(base / "salt")]}, pillar_roots={"base": []},
            extension_modules=str(base / "ext"), multiprocessing=False,
            fileserver_list_cache_time=0,
        )
        minion = salt.minion.SMinion(opts)
        for files in documents:
            for folder in (base / "salt", root):
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
            for name, text in files.items():
                (base / "salt" / name).write_text(text.replace("@R@", str(root)))
            answers.append([apply(minion, True), apply(minion, False)])
    print("\n" + json.dumps(answers, default=str).replace(str(root), "@R@"))


if __name__ == "__main__":
    main()
