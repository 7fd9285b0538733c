//! `apply --local`, `show`, `single`, `pillar` and `facts`: the state engine without a bus.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

struct Machine {
    root: TempDir,
    tree: TempDir,
}

impl Machine {
    /// A machine that is a folder, and a tree with these files.
    fn new(files: &[(&str, &str)]) -> Machine {
        let machine =
            Machine { root: tempfile::tempdir().unwrap(), tree: tempfile::tempdir().unwrap() };
        for (path, content) in files {
            let path = machine.tree.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        machine
    }

    fn run(&self, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_muster-agent"));
        command.args(words).arg("--file-root").arg(self.tree.path());
        command.env("MUSTER_ROOT", self.root.path()).output().unwrap()
    }

    fn apply(&self, more: &[&str]) -> Output {
        self.run(&[&["apply", "--local"], more].concat())
    }

    fn motd(&self) -> Option<String> {
        fs::read_to_string(self.root.path().join("etc/motd")).ok()
    }
}

const TOP: (&str, &str) = ("top.sls", "base:\n  '*':\n    - motd\n");
const MOTD: (&str, &str) = (
    "motd/init.sls",
    "/etc/motd:
  file.managed:
    - contents: hello {{ pillar['name'] }}
    - makedirs: true
",
);

const PILLAR: &str = "{\"name\": \"pluto\"}";

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stdout)))
}

#[test]
fn facts_and_pillar_are_read_anew_where_a_state_asks_for_it() {
    let shown = |name: &str| {
        format!(
            "{name}:\n  file.managed:\n    - name: /srv/{name}\n    - makedirs: true\n    \
             - source: salt://shown.jinja\n    - template: jinja\n"
        )
    };
    let sls = [
        "role:\n  file.managed:\n    - name: /etc/salt/grains\n    - makedirs: true\n    \
         - contents: 'role: new'\n"
            .to_owned(),
        "data:\n  file.managed:\n    - name: /srv/pillar/p.sls\n    - contents: 'x: new'\n"
            .to_owned(),
        shown("before"),
        // After a few states that do nothing one is looked at ahead of its turn.
        (0..4).map(|at| format!("idle{at}: test.nop\n")).collect(),
        "facts:\n  test.nop:\n    - reload_grains: true\n".to_owned(),
        shown("facts_new"),
        "pillar:\n  test.nop:\n    - reload_pillar: true\n".to_owned(),
        shown("both_new"),
    ];
    let template = "{{ grains.role | d('none') }} {{ pillar.x }}";
    let machine = Machine::new(&[("a.sls", &sls.concat()), ("shown.jinja", template)]);
    let pillar = machine.root.path().join("srv/pillar");
    fs::create_dir_all(&pillar).unwrap();
    fs::write(pillar.join("top.sls"), "base: {'*': [p]}").unwrap();
    fs::write(pillar.join("p.sls"), "x: old").unwrap();
    let applied = machine.apply(&["a", "--pillar-root", pillar.to_str().unwrap()]);
    assert!(applied.status.success(), "{}", text(&applied.stdout));
    let read = |name: &str| fs::read_to_string(machine.root.path().join("srv").join(name)).unwrap();
    assert_eq!(read("before"), "none old");
    assert_eq!(read("facts_new"), "new old");
    assert_eq!(read("both_new"), "new new");
}

#[test]
fn a_tree_is_applied_to_a_folder_once() {
    let machine = Machine::new(&[TOP, MOTD]);
    let dry = machine.apply(&["--pillar", PILLAR, "--test"]);
    assert!(dry.status.success(), "{}", text(&dry.stdout));
    assert!(text(&dry.stdout).contains("(would change: 1)"), "{}", text(&dry.stdout));
    assert_eq!(machine.motd(), None);
    for changed in [true, false] {
        let applied = machine.apply(&["--pillar", PILLAR, "--out", "json"]);
        assert!(applied.status.success(), "{}", text(&applied.stdout));
        let state = &json(&applied)["file_|-/etc/motd_|-/etc/motd_|-managed"];
        assert_eq!(state["result"], true, "{state}");
        assert_eq!(state["changes"].as_object().unwrap().is_empty(), !changed, "{state}");
    }
    assert_eq!(machine.motd().as_deref(), Some("hello pluto\n"));
}

#[test]
fn what_a_terminal_does_not_show_is_plain_and_tells_each_change() {
    let machine = Machine::new(&[TOP, MOTD]);
    fs::create_dir_all(machine.root.path().join("etc")).unwrap();
    fs::write(machine.root.path().join("etc/motd"), "old\n").unwrap();
    let applied = machine.apply(&["motd", "--pillar", PILLAR]);
    let said = text(&applied.stdout);
    assert!(said.starts_with("changed  file.managed /etc/motd  "), "{said}");
    assert!(said.contains("\n         -old\n         +hello pluto\n"), "{said}");
    assert!(said.contains("Succeeded:    1 (changed: 1)\nFailed:       0\nTotal: "), "{said}");
    assert!(!said.contains('\x1b') && applied.stderr.is_empty(), "{said}");
}

#[test]
fn a_tree_with_a_mistake_is_told_by_file_and_line_and_nothing_runs() {
    let wrong = ("wrong.sls", "a:\n  file.managed:\n    - name: /etc/a\n b: [\n");
    let machine = Machine::new(&[TOP, MOTD, wrong]);
    let output = machine.apply(&["wrong,motd", "--pillar", PILLAR]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("wrong.sls:"), "{}", text(&output.stdout));
    let output = machine.apply(&["wrong", "--out=json"]);
    assert_eq!(output.status.code(), Some(1));
    let told = json(&output);
    assert!(told[0].as_str().unwrap().starts_with("Rendering SLS 'base:wrong' failed"), "{told}");
    assert!(text(&output.stderr).contains("error: wrong.sls:"), "{}", text(&output.stderr));
    assert_eq!(machine.motd(), None);
}

#[test]
fn a_state_that_fails_is_exit_code_2_and_so_is_none_at_all() {
    let fail = ("fail.sls", "a:\n  test.fail_without_changes: []\n");
    let machine = Machine::new(&[fail, ("empty.sls", "# nothing\n")]);
    assert_eq!(machine.apply(&["fail"]).status.code(), Some(2));
    assert_eq!(machine.apply(&["empty"]).status.code(), Some(2));
    let none = machine.apply(&["--out=json"]);
    assert_eq!(none.status.code(), Some(2));
    let state = json(&none)["no_|-states_|-states_|-None"].clone();
    let mut keys: Vec<&String> = state.as_object().unwrap().keys().collect();
    keys.sort();
    assert_eq!(keys, ["__run_num__", "changes", "comment", "name", "result"]);
}

#[test]
fn one_id_runs_with_what_it_requires() {
    let sls = "a:\n  test.nop: []\nb:\n  test.nop:\n    - require: [{test: a}]\nc:\n  test.nop: \
               []\n";
    let machine = Machine::new(&[("x.sls", sls)]);
    let output = machine.apply(&["x", "--only", "b", "--out=json"]);
    let ran: Vec<String> = json(&output).as_object().unwrap().keys().cloned().collect();
    assert_eq!(ran, ["test_|-a_|-a_|-nop", "test_|-b_|-b_|-nop"]);
    let output = machine.apply(&["x", "--only", "zz"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("No matches for ID 'zz'"), "{}", text(&output.stdout));
}

#[test]
fn the_stages_are_shown() {
    let machine = Machine::new(&[TOP, MOTD]);
    let show = |words: &[&str]| {
        let all = [&["show"], words, &["--pillar", PILLAR, "--out=json"]].concat();
        json(&machine.run(&all))
    };
    assert_eq!(show(&["top"]), serde_json::json!({"base": ["motd"]}));
    assert_eq!(show(&["high"])["/etc/motd"]["__sls__"], "motd");
    let sls = show(&["sls", "motd"]);
    assert!(sls["/etc/motd"]["file"].as_array().unwrap().contains(&"managed".into()), "{sls}");
    for low in [show(&["low"]), show(&["lowstate"]), show(&["low", "motd"])] {
        assert_eq!((&low[0]["fun"], &low[0]["state"]), (&"managed".into(), &"file".into()));
    }
    let text = text(&machine.run(&["show", "top", "--pillar", PILLAR]).stdout);
    assert_eq!(text, "base:\n- motd\n");
}

#[test]
fn one_function_runs_alone() {
    let machine = Machine::new(&[]);
    let words = ["single", "file.managed", "/etc/motd", "contents=hello: 1", "makedirs=True"];
    let output = machine.run(&[&words[..], &["--out=json"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let state = &json(&output)["file_|-/etc/motd_|-/etc/motd_|-managed"];
    assert_eq!((&state["result"], &state["__sls__"]), (&true.into(), &Value::Null));
    assert_eq!(machine.motd().as_deref(), Some("hello: 1\n"));
    let unknown = machine.run(&["single", "test.nope", "x", "--out=json"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert_eq!(json(&unknown)[0], "Specified state 'test.nope' was not found");
}

#[test]
fn a_pillar_is_shown_with_its_values_only_when_asked() {
    let files =
        [("top.sls", "base:\n  'w*': [p]\n"), ("p.sls", "k: {x: [1]}\nid: {{ grains.id }}\n")];
    let machine = Machine::new(&files);
    let dir = machine.tree.path().to_str().unwrap();
    let over = "{\"k\": {\"y\": 2}}";
    let words =
        ["pillar", "--pillar-root", dir, "--id", "w1", "--pillar", over, "--out=json", "--unmask"];
    let shown = json(&machine.run(&words));
    assert_eq!(shown, serde_json::json!({"k": {"x": [1], "y": 2}, "id": "w1"}));
    let masked = json(&machine.run(&words[..8]));
    assert_eq!(masked["k"]["x"][0], "**********");
    fs::write(machine.tree.path().join("p.sls"), "{% if %}").unwrap();
    let broken = machine.run(&words);
    assert_eq!(broken.status.code(), Some(1));
    let words_of_salt = "Rendering SLS 'p' failed. Please see master log for details.";
    assert_eq!(json(&broken)["_errors"][0], words_of_salt);
    assert_eq!(json(&machine.run(&words[..8]))["_errors"][0], "**********");
    assert!(text(&broken.stderr).contains("p.sls:1"), "{}", text(&broken.stderr));
}

#[test]
fn maps_may_stand_in_files_and_facts_come_from_the_command_line() {
    let sls = "{{ grains.os }}-{{ pillar.a }}-{{ grains.id }}:\n  test.nop: []\n";
    let machine = Machine::new(&[("x.sls", sls)]);
    let file = machine.root.path().join("p.yaml");
    fs::write(&file, "a: one\n").unwrap();
    let at = format!("@{}", file.display());
    let words =
        ["x", "--pillar", &at, "--grains", "{\"os\": \"Plan9\"}", "--id", "w7", "--out=json"];
    let ran = json(&machine.apply(&words));
    assert!(ran["test_|-Plan9-one-w7_|-Plan9-one-w7_|-nop"].is_object(), "{ran}");
}

#[test]
fn a_tree_may_lie_in_several_folders() {
    let machine = Machine::new(&[("x.sls", "a:\n  test.nop: []\n")]);
    let more = Machine::new(&[("x.sls", "b:\n  test.nop: []\n"), ("y.sls", "c: {test.nop: []}\n")]);
    let more = more.tree.path().to_str().unwrap();
    let ran = |words: &[&str]| json(&machine.apply(&[words, &["--out=json"]].concat()));
    let keys =
        |value: &Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
    let found = ran(&["x", "y", "--file-root", more]);
    assert_eq!(keys(&found), ["test_|-b_|-b_|-nop", "test_|-c_|-c_|-nop"]);
    let opts = format!("{{\"file_roots\": {{\"base\": [{more:?}]}}}}");
    let found = ran(&["x", "y", "--opts", &opts]);
    assert_eq!(keys(&found), ["test_|-a_|-a_|-nop", "test_|-c_|-c_|-nop"]);
}

#[test]
fn a_run_is_undone_by_its_name() {
    let machine = Machine::new(&[TOP, MOTD]);
    let restore = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_muster-agent"));
        command.arg("restore").args(words).env("MUSTER_ROOT", machine.root.path());
        command.output().unwrap()
    };
    assert_eq!(text(&restore(&[]).stdout), "no run's files are kept\n");
    for name in ["pluto", "charon"] {
        machine.apply(&["--pillar", &format!("{{\"name\": \"{name}\"}}")]);
    }
    let runs = text(&restore(&[]).stdout);
    assert_eq!(runs.lines().count(), 2, "{runs}");
    let first = runs.split(' ').next().unwrap();
    let refused = restore(&[first]);
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused.stdout));
    assert!(text(&refused.stdout).contains("left: "), "{}", text(&refused.stdout));
    assert!(restore(&["last", "--test"]).status.success());
    assert_eq!(machine.motd().as_deref(), Some("hello charon\n"));
    assert!(restore(&["last"]).status.success());
    assert_eq!(machine.motd().as_deref(), Some("hello pluto\n"));
    assert!(restore(&[first]).status.success());
    assert_eq!(machine.motd(), None);
    assert_eq!(restore(&["20200101T000000.000000"]).status.code(), Some(1));
}

#[test]
fn a_folder_that_is_not_there_is_an_empty_tree_and_is_told() {
    let machine = Machine::new(&[("x.sls", "a:\n  test.nop: []\n")]);
    let output = machine.apply(&["x", "--pillar-root", "/no/such/folder", "--out=json"]);
    assert_eq!(output.status.code(), Some(0));
    let said = text(&output.stderr);
    assert!(said.contains("warning: /no/such/folder is not there"), "{said}");
}

/// Waits until something is so.
fn until(what: &str, mut so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !so() {
        assert!(begin.elapsed() < Duration::from_secs(60), "{what} takes too long");
        std::thread::yield_now();
    }
}

#[test]
fn a_signal_cancels_a_run_in_order() {
    let states = "first: {test.nop: []}\n\
                  long:\n  cmd.run:\n    \
                  - name: sleep 600 & echo $! > pid; mv pid begun; sleep 600\n\
                  /etc/motd: {file.managed: [{contents: late}, {makedirs: true}]}\n";
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let machine = Machine::new(&[("top.sls", TOP.1), ("motd/init.sls", states)]);
        // Whoever runs the tests may have ignored one of them (nohup does).
        let mut command = Command::new("env");
        command.args(["--default-signal=INT,TERM,HUP", env!("CARGO_BIN_EXE_muster-agent")]);
        command.args(["apply", "--local", "--out", "json", "--file-root"]);
        command.arg(machine.tree.path()).env("MUSTER_ROOT", machine.root.path());
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let begun = machine.root.path().join("begun");
        until("the command", || begun.exists());
        kill(Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
        assert!(text(&output.stderr).contains(&format!("{signal}: the run is cancelled")));
        let told: Vec<(Value, bool)> = json(&output)
            .as_object()
            .unwrap()
            .values()
            .map(|state| {
                let comment = state["comment"].as_str().unwrap();
                (state["result"].clone(), comment.contains("cancelled"))
            })
            .collect();
        assert_eq!(told, [(true.into(), false), (false.into(), true), (false.into(), true)]);
        assert_eq!(machine.motd(), None);
        // What the command had started is gone with it, and nothing is left to go on with.
        let pid: i32 = fs::read_to_string(&begun).unwrap().trim().parse().unwrap();
        until("the end of its process", || is_gone(pid));
        let again = machine.apply(&["--test"]);
        assert!(!text(&again.stdout).contains("interrupted"), "{}", text(&again.stdout));
        assert_eq!(left(machine.root.path()), Vec::<String>::new());
    }
}

#[test]
fn a_signal_ends_what_a_template_runs_before_the_first_state() {
    let states = "{{ salt['cmd.shell']('sleep 600 & echo $! > pid; mv pid begun; sleep 600', \
                  cwd='/') }}\n/etc/motd: {file.managed: [{contents: late}]}\n";
    for verb in [&["apply", "motd"][..], &["show", "low", "motd"], &["single", "test.nop", "x"]] {
        let pillar = states.split_once('\n').unwrap().0.replace("}}", "and '' }}");
        let of_pillar = verb[0] == "single";
        let tree = if of_pillar { "ok: {test.nop: []}\n" } else { states };
        let machine = Machine::new(&[
            ("motd/init.sls", tree),
            ("pillar/top.sls", "base: {'*': [p]}"),
            ("pillar/p.sls", if of_pillar { &pillar } else { "" }),
        ]);
        let mut command = Command::new("env");
        command.args(["--default-signal=INT,TERM,HUP", env!("CARGO_BIN_EXE_muster-agent")]);
        command.args(verb).args(["--local", "--out", "json", "--file-root"]);
        command.arg(machine.tree.path()).arg("--pillar-root");
        command.arg(machine.tree.path().join("pillar")).env("MUSTER_ROOT", machine.root.path());
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let begun = machine.root.path().join("begun");
        until("the command", || begun.exists());
        kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGINT).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
        assert_eq!(
            json(&output),
            serde_json::json!(["The run was cancelled before its first state"])
        );
        let pid: i32 = fs::read_to_string(&begun).unwrap().trim().parse().unwrap();
        until("the end of its process", || is_gone(pid));
        assert_eq!(machine.motd(), None);
    }
}

#[test]
fn what_was_ignored_from_the_start_cancels_nothing() {
    let states =
        "waits:\n  cmd.run:\n    - name: touch begun; until [ -e go ]; do sleep 0.05; done\n";
    let machine = Machine::new(&[("top.sls", TOP.1), ("motd/init.sls", states)]);
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' HUP; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_muster-agent")]);
    command.args(["apply", "--local", "--file-root"]).arg(machine.tree.path());
    command.env("MUSTER_ROOT", machine.root.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    until("the command", || machine.root.path().join("begun").exists());
    kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGHUP).unwrap();
    fs::write(machine.root.path().join("go"), "").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
}

/// Whether a process has ended, be it that nobody has asked how.
fn is_gone(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.map_or(true, |stat| stat.rsplit(')').next().unwrap().trim_start().starts_with('Z'))
}

/// Journals and temporary files of a run, below a folder.
fn left(folder: &Path) -> Vec<String> {
    let mut out = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with(".muster-") || name.contains("journal") {
            out.push(name);
        } else if path.is_dir() && !path.is_symlink() {
            out.extend(left(&path));
        }
    }
    out
}

#[test]
fn facts_are_json() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster-agent"));
    let output = command.arg("facts").env("MUSTER_ROOT", dir.path()).output().unwrap();
    let facts: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(facts["kernel"], "Linux");
}
