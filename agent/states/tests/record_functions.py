#!/usr/bin/env python3
"""Records what Salt's execution modules give to templates.

    python agent/states/tests/record_functions.py

tests/functions/cases.json is a list of {"template": ..}; to each the script adds "output", or
"error" with Salt's words. tests/functions holds the state tree, the pillar and the grains; `@R@`
stands for a scratch folder with what is in tests/functions/root. Run it with a Python that has Salt.
"""

import json
import os
import pathlib
import shutil
import tempfile

HERE = pathlib.Path(__file__).parent / "functions"


def minion(base):
    import salt.config
    import salt.minion

    opts = salt.config.minion_config(None, minion_id="w1")
    opts.update(
        root_dir=str(base / "salt-root"), cachedir=str(base / "cache"), pki_dir=str(base / "pki"),
        conf_file=str(base / "minion"), sock_dir=str(base / "sock"), file_client="local",
        file_roots={"base": [str(HERE / "tree")]}, pillar_roots={"base": [str(base / "pillar")]},
        extension_modules=str(base / "ext"), multiprocessing=False, fileserver_followsymlinks=True,
    )
    shutil.copy(HERE / "grains.json", base / "grains")
    (base / "pillar").mkdir()
    (base / "pillar" / "top.sls").write_text("base: {'*': [p]}\n")
    shutil.copy(HERE / "pillar.sls", base / "pillar" / "p.sls")
    (base / "cache" / "proc").mkdir(parents=True)
    return salt.minion.SMinion(opts)


def render(minion, template):
    import salt.exceptions
    import salt.utils.templates

    context = {
        "opts": minion.opts, "saltenv": "base", "grains": minion.opts["grains"],
        "pillar": minion.opts["pillar"], "salt": minion.functions, "sls": "a",
    }
    import salt.utils.secret

    token = salt.utils.secret.mask_pillar.set(False)
    try:
        return {"output": salt.utils.templates.render_jinja_tmpl(template, context)}
    except salt.exceptions.SaltRenderError as error:
        words = str(error.error).splitlines() or [""]
        return {"error": words[0]}
    finally:
        salt.utils.secret.mask_pillar.reset(token)


def main():
    os.environ["MUSTER_TEST"] = "set"
    cases = json.loads((HERE / "cases.json").read_text())
    with tempfile.TemporaryDirectory() as scratch:
        base = pathlib.Path(scratch).resolve()
        shutil.copytree(HERE / "root", base / "root", symlinks=True)
        for path in [base / "root", *(base / "root").rglob("*")]:
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() else 0o644)
        one = minion(base)
        done = []
        for case in cases:
            template = case["template"].replace("@R@", str(base / "root"))
            told = render(one, template)
            told = {key: text.replace(str(base / "root"), "@R@") for key, text in told.items()}
            done.append({"template": case["template"]} | told)
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in done)
    (HERE / "cases.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
