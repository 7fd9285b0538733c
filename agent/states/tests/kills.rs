//! Runs that are killed with SIGKILL at random moments and started again: the files are those of
//! an undisturbed run, no temporary file is left, and no command is run twice unasked.
//!
//! `MUSTER_KILL_ROUNDS=200 MUSTER_SEED=7 cargo test -p muster-states --test kills` is the long run.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also where it is called from")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use muster_states::{Facts, Host, Options, Report, Selection, Tree, compile, interrupted, run};

/// The folder in which a child of this test applies the tree.
const PLACE: &str = "MUSTER_KILLED_PLACE";
const ROUNDS: usize = 40;
const FILES: usize = 40;

/// The tree: files, folders, links, appended lines, a copied folder, commands with and without a
/// condition, and a file that is only there if another one's change was noticed.
fn tree() -> Tree {
    let mut sls = String::new();
    for i in 0..FILES {
        sls += &format!(
            "/srv/d{}/f{i}:\n  file.managed:\n    - contents: {}\n    - mode: '06{}0'\n    \
             - makedirs: true\n",
            i % 5,
            "line ".repeat(i * 40 + 1),
            i % 5
        );
        if i % 8 == 0 {
            sls += &format!(
                "/srv/seen{i}:\n  file.managed:\n    - contents: seen\n    - onchanges:\n      \
                 - file: /srv/d{}/f{i}\n",
                i % 5
            );
            sls += &format!("/srv/link{i}:\n  file.symlink:\n    - target: d0/f{i}\n");
        }
        if i % 10 == 3 {
            sls += &format!(
                "made{i}:\n  cmd.run:\n    - name: echo made > srv/made{i}\n    \
                 - creates: /srv/made{i}\n"
            );
            sls += &format!(
                "append{i}:\n  file.append:\n    - name: /srv/appended\n    - text: line {i}\n"
            );
        }
        if i % 3 == 2 {
            sls += &format!("log{i}:\n  cmd.run:\n    - name: echo once >> log/{i}\n");
        }
    }
    sls += "/srv/copied:\n  file.recurse:\n    - source: salt://copied\n";
    let mut files = vec![("a.sls".to_owned(), sls)];
    files.extend((0..12).map(|i| (format!("copied/d{}/f{i}", i % 3), format!("{i}\n").repeat(99))));
    Tree::from_files(files)
}

fn apply(place: &Path, progress: &mut dyn FnMut()) -> Report {
    let host = Host::under(place.join("root"));
    let names = Selection::Sls(vec!["a".to_owned()]);
    let pillar = serde_json::Value::Null;
    let compiled = compile(&tree(), &Facts::default(), &pillar, &names, &host).unwrap();
    let options = Options { journal: Some(place.join("journal")), ..Options::default() };
    run(&compiled, &host, &options, &mut |_, _| progress()).unwrap()
}

/// Applies as the child of a test, and tells of each state that has ended.
#[test]
fn a_child_applies_where_it_is_told() {
    let Some(place) = std::env::var_os(PLACE) else { return };
    let tell = |text: &str| std::io::stdout().write_all(text.as_bytes()).unwrap();
    let report = apply(Path::new(&place), &mut || tell("ended\n"));
    let failed = report.states().iter().filter(|(_, state)| state.result != Some(true));
    for (key, state) in failed {
        tell(&format!("failed {key} {}\n", state.comment.replace('\n', " ")));
    }
    tell("whole\n");
}

fn child(place: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "a_child_applies_where_it_is_told", "--nocapture"]);
    command.env(PLACE, place).stdout(Stdio::piped()).spawn().unwrap()
}

/// An empty machine, in memory where that can be: what is tried is the process's end, not the
/// disk's.
fn machine() -> tempfile::TempDir {
    let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    for folder in ["root/etc", "root/srv", "root/log", "root/tmp"] {
        fs::create_dir_all(dir.path().join(folder)).unwrap();
    }
    fs::write(dir.path().join("root/etc/passwd"), "root:x:0:0::/root:/bin/sh\n").unwrap();
    dir
}

/// All that lies below a folder: mode and contents by path.
fn listed(folder: &Path) -> BTreeMap<String, (u32, Vec<u8>)> {
    let mut out = BTreeMap::new();
    let mut todo = vec![folder.to_owned()];
    while let Some(next) = todo.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            let meta = fs::symlink_metadata(&path).unwrap();
            let shown = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
            let data = if meta.is_symlink() {
                fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes()
            } else if meta.is_dir() {
                todo.push(path.clone());
                Vec::new()
            } else {
                fs::read(&path).unwrap()
            };
            out.insert(shown, (meta.permissions().mode(), data));
        }
    }
    out
}

/// A row of numbers that look random, the same for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }
}

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().map_or(usual, |text| text.parse().unwrap())
}

/// Kills a run after so many states and a moment more; false if it had come to its end: the next
/// one does not go on then, and does as any second run does.
fn kill(place: &Path, states: u64, moment: Duration) -> bool {
    let mut child = child(place);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut ended = 0;
    while ended < states {
        match lines.next() {
            Some(line) => ended += u64::from(line.unwrap() == "ended"),
            None => break,
        }
    }
    let until = Instant::now() + moment;
    while Instant::now() < until {
        std::hint::spin_loop();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    !place.join("journal").exists() || interrupted(&place.join("journal")).is_some()
}

/// What the run after it says of each state that failed.
fn started_again(place: &Path) -> Vec<String> {
    let mut child = child(place);
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    child.wait().unwrap();
    assert!(text.contains("whole\n"), "{text}");
    text.lines().filter_map(|line| line.strip_prefix("failed ")).map(str::to_owned).collect()
}

#[test]
fn a_killed_run_that_is_started_again_ends_as_an_undisturbed_one() {
    let undisturbed = machine();
    let mut states = 0;
    assert!(apply(undisturbed.path(), &mut || states += 1).is_ok());
    let wanted = listed(&undisturbed.path().join("root"));
    let seed = number("MUSTER_SEED", 20_261_129);
    let mut dice = Dice(seed);
    let (mut killed, mut unknown) = (0, 0);
    for round in 0..number("MUSTER_KILL_ROUNDS", ROUNDS as u64) {
        let machine = machine();
        let moment = Duration::from_micros(dice.below(6000));
        let interrupted = kill(machine.path(), dice.below(states), moment);
        killed += u64::from(interrupted);
        let failed = if interrupted { started_again(machine.path()) } else { Vec::new() };
        let what = format!("seed {seed}, round {round}");
        let mut found = listed(&machine.path().join("root"));
        for line in &failed {
            assert!(line.contains("It is not known what came of cmd.run"), "{what}: {line}");
            let name = line.split_whitespace().find_map(|word| word.strip_prefix("log/")).unwrap();
            let name = format!("log/{}", name.trim_end_matches("_|-run"));
            // Whether it did its work or not, it did not do it twice.
            let done = found.remove(&name).unwrap_or_else(|| wanted[&name].clone());
            found.insert(name, done);
            unknown += 1;
        }
        let differs = |path: &&String| found.get(*path) != wanted.get(*path);
        let other: Vec<&String> = found.keys().chain(wanted.keys()).filter(differs).collect();
        assert!(other.is_empty(), "{what}: {other:?} differ; failed: {failed:?}");
    }
    assert!(killed > 0, "no run was killed before its end");
    assert!(unknown < killed, "{unknown} of {killed}");
    eprintln!("{killed} runs were killed, {unknown} in a command that must not be run twice");
}
