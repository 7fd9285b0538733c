#!/usr/bin/env python3
"""Records what Salt does with a state case: its returns and the files it leaves.

    python agent/states/tests/record.py CASE...     CASE is a folder with case.json and salt/

Run it with a Python that has Salt (the version is written into case.json). A case is laid out in
a scratch folder and run three times, each in a process of its own: dry, first, second. A case
that says "machine" is recorded on a private copy of this machine, as root; its setup.sh prepares
that (or the scratch root, its only argument). MACHINE_LAYER: see machine.sh.

A case with `users: true` acts on a machine: it is recorded as root in namespaces of its own (mounts,
network), where /etc is a copy with the accounts of salt_cases/machine over it, /home and the like
are empty, and the case's `machine/` lies on top. What the files named in `keeps` of case.json hold
is noted after each run in expected*.machine. RECORD_PATH adds folders of tools (crontab, sshd).
"""

import hashlib
import json
import os
import pathlib
import pwd
import re
import grp
import shutil
import stat
import subprocess
import sys
import sysconfig
import tempfile
import time

PACKAGES = sysconfig.get_path("purelib")
LIBRARY = sysconfig.get_path("stdlib")
MACHINE = pathlib.Path(__file__).resolve().parent / "salt_cases" / "machine"
EMPTY = ["/home", "/var/spool", "/mnt", "/srv", "/opt"]
RUNS = [("expected.test", True), ("expected", False), ("expected2", False)]


def substitute(path, root):
    """Puts the scratch root in place of @R@ in every text below a folder."""
    for file in path.rglob("*"):
        if file.name == ".keepdir":
            file.unlink()
        elif file.is_file() and not file.is_symlink():
            try:
                text = file.read_bytes().decode()
            except UnicodeDecodeError:
                continue
            # As bytes: Python's text files would change the ends of lines.
            file.write_bytes(text.replace("@R@", str(root)).encode())


def listing(root):
    """A line per entry of the scratch root: type, mode, owner:group, sha256 or target, path."""
    lines = []
    for path in sorted(root.rglob("*")):
        # What git keeps has times in it, and no two versions pack alike.
        if any(part.name.endswith(".git") for part in path.relative_to(root).parents):
            continue
        meta = path.lstat()
        owner = f"{name(pwd.getpwuid, meta.st_uid)}:{name(grp.getgrgid, meta.st_gid)}"
        shown, mode = path.relative_to(root), stat.S_IMODE(meta.st_mode)
        if path.is_symlink():
            target = os.readlink(path).replace(str(root), "@R@")
            lines.append(f"l 0777 {owner} {target} {shown}")
        elif path.is_dir():
            lines.append(f"d {mode:04o} {owner} - {shown}")
        else:
            data = path.read_bytes().replace(str(root).encode(), b"@R@")
            lines.append(f"f {mode:04o} {owner} {hashlib.sha256(data).hexdigest()} {shown}")
    return "\n".join(lines) + "\n"


def name(look, number):
    try:
        return look(number)[0]
    except KeyError:
        return str(number)


def separate():
    """Makes the machine of this process one that nothing outside sees."""
    shared = tempfile.mkdtemp()
    subprocess.run(["mount", "-t", "tmpfs", "none", shared], check=True)
    shutil.copytree("/etc", f"{shared}/etc", symlinks=True)
    for place in EMPTY:
        (pathlib.Path(shared) / place[1:]).mkdir(parents=True)
    for place in ["/etc", *EMPTY]:
        subprocess.run(["mount", "--bind", shared + place, place], check=True)
    subprocess.run(["umount", "--lazy", shared], check=True)
    os.rmdir(shared)
    shutil.rmtree("/etc/skel")
    lay(MACHINE)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=False)


def lay(folder):
    """Puts the files of a folder in their places on this machine."""
    for file in sorted(folder.rglob("*")):
        place = pathlib.Path("/") / file.relative_to(folder)
        if file.is_dir():
            place.mkdir(parents=True, exist_ok=True)
        elif file.name != ".keepdir":
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(file.read_bytes())
            if "shadow" not in place.name and place.parts[1] != "proc":
                place.chmod(0o644)


def kept(paths, tools):
    """What files hold, and what folders are, with today as a mark."""
    today = str(int(time.time()) // 86400)
    out = ""
    for path in paths:
        if path.startswith("crontab:"):
            listed = [shutil.which("crontab", path=tools), "-u", path.split(":")[1], "-l"]
            done = subprocess.run(listed, capture_output=True, text=True, check=False)
            out += f"== {path}\n{done.stdout}"
            continue
        file = pathlib.Path(path)
        if not file.exists():
            out += f"== {path} is missing\n"
            continue
        meta = file.stat()
        owner = f"{name(pwd.getpwuid, meta.st_uid)}:{name(grp.getgrgid, meta.st_gid)}"
        out += f"== {path} {stat.S_IMODE(meta.st_mode):04o} {owner}\n"
        if file.is_dir():
            out += "".join(f"{entry}\n" for entry in sorted(os.listdir(file)))
        else:
            out += re.sub(rf":{today}:", ":<day>:", file.read_text())
    return out


def normal(value, root):
    """Times, pids and the scratch root are no two runs the same."""
    if isinstance(value, dict):
        marks = {"duration": "<float>", "start_time": "<time>", "pid": "<pid>"}
        if value.get("lstchg") == int(time.time()) // 86400:
            marks["lstchg"] = "<day>"
        return {
            normal(key, root): marks.get(key) or normal(entry, root)
            for key, entry in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [normal(entry, root) for entry in value]
    if isinstance(value, str):
        value = value.replace(str(root), "@R@").replace(PACKAGES, "@SALT@")
        # Modules that Salt loads itself lie where links lead.
        value = value.replace(os.path.realpath(PACKAGES), "@SALT@")
        return value.replace(LIBRARY, "@PYTHON@")
    return value


def call_salt(base, spec, test):
    """Makes the calls of a case in this process; prints their returns."""
    import salt.config
    import salt.exceptions
    import salt.minion

    def roots(kind):
        """The case's own folder is base, `salt-dev` is the environment dev."""
        others = {path.name[len(kind) + 1 :]: [str(path)] for path in base.glob(f"{kind}-*")}
        return {"base": [str(base / kind)], **dict(sorted(others.items()))}

    opts = salt.config.minion_config(None, minion_id=spec["id"])
    opts.update(
        root_dir=str(base / "minion-root"), cachedir=str(base / "cache"), pki_dir=str(base / "pki"),
        conf_file=str(base / "minion"), sock_dir=str(base / "sock"), file_client="local",
        file_roots=roots("salt"), pillar_roots=roots("pillar"),
        test=test, extension_modules=str(base / "ext"), multiprocessing=False, **spec["opts"],
    )
    # Salt takes grains from this file alone.
    (base / "minion").write_text(json.dumps({"grains": spec["grains"]}))
    (base / "cache" / "proc").mkdir(parents=True, exist_ok=True)
    minion = salt.minion.SMinion(opts)
    out = []
    for call in spec["run"]:
        function = minion.functions[call["fun"]]
        context = minion.functions.pack["__context__"]
        context["retcode"] = 0
        try:
            returned = function(*call["args"], **call["kwargs"])
        except salt.exceptions.CommandExecutionError as error:
            returned = str(error)
        out.append({**call, "retcode": context.get("retcode", 0), "ret": returned})
    print("\n@@" + json.dumps(out, default=str))


def record(case):
    spec = json.loads((case / "case.json").read_text())
    with tempfile.TemporaryDirectory() as scratch:
        base = pathlib.Path(scratch).resolve()
        root = base / "root"
        others = [path.name for kind in ["salt", "pillar"] for path in case.glob(f"{kind}-*")]
        for part in ["fixture", "salt", "pillar", *others]:
            place = root if part == "fixture" else base / part
            if (case / part).is_dir():
                shutil.copytree(case / part, place, symlinks=True)
            place.mkdir(exist_ok=True)
            substitute(place, root)
        if spec["users"]:
            separate()
            if (case / "machine").is_dir():
                lay(case / "machine")
        for path, mode in spec["modes"].items():
            (root / path).chmod(int(mode, 8))
        if (case / "setup.sh").is_file():
            subprocess.run(["sh", case / "setup.sh", root], check=True)
        for stem, test in RUNS:
            call = [sys.executable, __file__, "--call", str(base), json.dumps(spec), str(test)]
            more = {"SHELL": "/bin/sh", "HOME": "/root"}
            if spec["users"]:
                more["PATH"] = os.environ.get("RECORD_PATH", "/bin") + ":" + os.environ["PATH"]
            done = subprocess.run(
                call, capture_output=True, text=True, check=False, env={**os.environ, **more}
            )
            if "\n@@" not in done.stdout:
                sys.exit(f"{case.name}: Salt ended without an answer:\n{done.stderr}{done.stdout}")
            returned = normal(json.loads(done.stdout.rsplit("\n@@", 1)[1]), root)
            (case / f"{stem}.json").write_text(json.dumps(returned, indent=1) + "\n")
            (case / f"{stem}.tree").write_text(listing(root))
            if spec.get("keeps"):
                (case / f"{stem}.machine").write_text(kept(spec["keeps"], more.get("PATH")))
    spec["salt"] = subprocess.run(
        [sys.executable, "-c", "import salt.version as v; print(v.__version__)"],
        capture_output=True, text=True, check=True,
    ).stdout.strip()
    (case / "case.json").write_text(json.dumps(spec, indent=1) + "\n")
    print(f"{case.name}: recorded with Salt {spec['salt']}", file=sys.stderr)


def on_its_machine(case):
    """Records a case here, or on a copy of this machine; what was recorded is taken out of that."""
    spec = json.loads((case / "case.json").read_text())
    if not spec.get("machine"):
        return record(case)
    script = "systemd.sh" if spec.get("boot") else "machine.sh"
    machine = pathlib.Path(__file__).resolve().parent / script
    # The folder that this was called in is not one of the copy's.
    line = 'cd / && "$1" "$2" --here "$3" >&2 && cd "$3" && tar -cf - expected*'
    this = pathlib.Path(__file__).resolve()
    argv = ["sh", machine, "sh", "-c", line, "sh", sys.executable, this, case]
    packed = subprocess.run(argv, stdout=subprocess.PIPE, check=True).stdout
    subprocess.run(["tar", "-xf", "-", "-C", case], input=packed, check=True)


def main(args):
    if args[:1] == ["--call"]:
        return call_salt(pathlib.Path(args[1]), json.loads(args[2]), args[3] == "True")
    if not args:
        sys.exit(__doc__)
    if args[0] in ("--here", "--inside"):
        return record(pathlib.Path(args[1]))
    for case in args:
        path = pathlib.Path(case).resolve()
        if json.loads((path / "case.json").read_text())["users"]:
            apart = ["unshare", "--mount", "--net", "--uts", "--propagation", "private"]
            again = [sys.executable, __file__, "--inside", str(path)]
            subprocess.run([*apart, *again], check=True)
        else:
            on_its_machine(path)


if __name__ == "__main__":
    main(sys.argv[1:])
