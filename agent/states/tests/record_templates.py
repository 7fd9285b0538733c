#!/usr/bin/env python3
"""Records what Salt renders templates to.

    python agent/states/tests/record_templates.py FILE...

A FILE is one of tests/templates/*.json: a list of {"template": ..}. To each the script adds
"output", or "error" with Salt's words and "line". A key "files" of the template adds files to the
tree; tests/templates/files is always there. Run it with a Python that has Salt.
"""

import collections
import json
import pathlib
import sys
import tempfile

import salt.config
import salt.exceptions
import salt.utils.jinja
import salt.utils.templates
import salt.utils.data, salt.utils.dictupdate, salt.utils.hashutils, salt.utils.http
import salt.utils.network, salt.utils.path, salt.utils.stringutils, salt.utils.user
from salt.utils.optsdict import DictProxy, OptsDict
import salt.utils.yamlencoding, salt.utils.dateutils, salt.utils.files

HERE = pathlib.Path(__file__).parent / "templates"
GRAINS = {"id": "w1", "os": "Debian", "os_family": "Debian", "list": [1, 2], "none": None}
# As Salt reads it from YAML.
PILLAR = {"a": collections.OrderedDict(b=1), "l": [1, 2], "none": None, "text": "x\ny", "yes": True}


def lay(root, files):
    for path, text in files.items():
        file = pathlib.Path(root, path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def render(template, files):
    with tempfile.TemporaryDirectory() as scratch:
        root = pathlib.Path(scratch, "salt")
        shared = {
            str(file.relative_to(HERE / "files")): file.read_text()
            for file in (HERE / "files").rglob("*")
            if file.is_file()
        }
        lay(root, shared | files)
        opts = salt.config.minion_config(None)
        opts.update(
            file_client="local",
            file_roots={"base": [str(root)]},
            cachedir=str(pathlib.Path(scratch, "cache")),
            root_dir=scratch,
            id="w1",
        )
        whole = OptsDict({"grains": GRAINS, "pillar": PILLAR})
        context = {
            "opts": opts,
            "saltenv": "base",
            # Salt hands these out of its options, whose parts copy themselves when they change.
            "grains": DictProxy(GRAINS, whole, "grains"),
            "pillar": DictProxy(PILLAR, whole, "pillar"),
            "salt": {},
            "sls": "a.main",
            "tplpath": "a/main.sls",
        }
        context.update(salt.utils.templates.generate_sls_context("a/main.sls", "a.main"))
        try:
            return {"output": salt.utils.templates.render_jinja_tmpl(template, context)}
        except salt.exceptions.SaltRenderError as error:
            words = str(error.error).splitlines() or [""]
            return {"error": words[0], "line": error.line_num or 0}


def main():
    for name in sys.argv[1:]:
        path = pathlib.Path(name)
        cases = json.loads(path.read_text())
        done = []
        for case in cases:
            kept = {key: case[key] for key in ("template", "files") if key in case}
            done.append(kept | render(case["template"], case.get("files", {})))
        lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in done)
        path.write_text(f"[\n{lines}\n]\n")


main()
