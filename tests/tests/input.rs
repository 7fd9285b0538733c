//! The corpus of broken input (tests/input), given to the real programs.

#[path = "input/cases.rs"]
mod cases;

use anyhow::{Context, Result, ensure};
use cases::Case;
use muster_tests::cluster::program;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The address space that a program may take while it refuses a file, in KiB.
const MEMORY_KIB: &str = "1048576";
/// The most lines of a refusal: the sentence, and what to do.
const LINES_MAX: usize = 3;
/// The longest refusal, in bytes: it may name all fields that there are.
const BYTES_MAX: usize = 2000;
/// A part of the secrets in the corpus: whoever shows one shows this.
const SECRET: &str = "AIF6BE36TJHOBP74";

/// A program with its bound of memory.
fn bounded(name: &str, dir: &Path) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &format!("ulimit -v {MEMORY_KIB}; exec \"$0\" \"$@\"")]);
    command.arg(program(name)).current_dir(dir).stdin(Stdio::null());
    command.env("MUSTER_ROOT", dir).env("HOME", dir).env("RUST_BACKTRACE", "0");
    command.env_remove("MUSTER_LOG").env_remove("XDG_CONFIG_HOME");
    command
}

/// What holds for whatever is refused.
fn judge(case: &Case, file: &Path, output: &Output) -> Result<()> {
    let said = String::from_utf8(output.stderr.clone())?;
    let name = &case.name;
    let code = output.status.code();
    ensure!(code == Some(case.exit), "{name}: {:?}, not exit code {}: {said}", code, case.exit);
    for sentence in &case.sentences {
        let sentence = sentence.replace("FILE", &file.display().to_string());
        ensure!(said.contains(&sentence), "{name}: no {sentence:?} in: {said}");
    }
    ensure!(!said.contains("panicked") && !said.contains("overflow"), "{name}: {said}");
    ensure!(!said.contains(SECRET), "{name}: a secret is shown: {said}");
    let usage = !case.command.is_empty();
    ensure!(usage || said.lines().count() <= LINES_MAX, "{name}: too many lines: {said}");
    ensure!(said.len() <= BYTES_MAX, "{name}: {} bytes of refusal", said.len());
    Ok(())
}

/// Runs each case of a kind: `start` gets a folder of its own and the file's path in it.
fn each(kind: &str, at: &str, start: fn(&Path, &Path) -> Result<Command>) -> Result<()> {
    let cases = cases::read(kind)?;
    ensure!(cases.len() > 3, "{kind} has {} cases", cases.len());
    let mut wrong = Vec::new();
    for case in &cases {
        let dir = tempfile::tempdir()?;
        let file = dir.path().join(at);
        fs::create_dir_all(file.parent().context("a file is in a folder")?)?;
        let mut command = start(dir.path(), &file)?;
        fs::write(&file, &case.bytes)?;
        fs::set_permissions(&file, Permissions::from_mode(0o600))?;
        let output = command.output()?;
        wrong.extend(judge(case, &file, &output).err().map(|error| error.to_string()));
    }
    ensure!(wrong.is_empty(), "{kind}:\n{}", wrong.join("\n"));
    Ok(())
}

/// Guards: `Config::load`, and `yaml::parse` with its words and limits.
#[test]
fn the_controllers_configuration() -> Result<()> {
    each("controller.yaml.txt", "controller.yaml", |dir, file| {
        let mut command = bounded("muster-controller", dir);
        command.args(["--check", "--config"]).arg(file);
        Ok(command)
    })
}

/// Guards: `rule::parse`, and that `--check` reads the rules.
#[test]
fn rules() -> Result<()> {
    each("rule.yaml.txt", "rules/r.yaml", |dir, _| {
        let config = "cluster: c\nkeys: k\nstates: {tree: t}\nreactors: rules\n";
        fs::write(dir.join("controller.yaml"), config)?;
        let mut command = bounded("muster-controller", dir);
        command.args(["--check", "--config"]).arg(dir.join("controller.yaml"));
        Ok(command)
    })
}

/// Guards: `clouds::read` and `clouds::typed`, which tell no value; that `--check` reads the file.
#[test]
fn the_file_of_clouds_and_passwords() -> Result<()> {
    each("clouds.yaml.txt", "clouds.yaml", |dir, _| {
        let config = "cluster: c\nkeys: k\nstates: {tree: t}\nproviders:\n  \
                      o: {kind: openstack, cloud: lab, clouds_file: clouds.yaml}\n";
        fs::write(dir.join("controller.yaml"), config)?;
        let mut command = bounded("muster-controller", dir);
        command.args(["--check", "--config"]).arg(dir.join("controller.yaml"));
        Ok(command)
    })
}

/// Guards: `Context::parse`, and `Words::Hidden`.
#[test]
fn a_persons_context() -> Result<()> {
    each("context.yaml.txt", "context.yaml", |dir, file| {
        let mut command = bounded("muster", dir);
        command.arg("--context").arg(file).args(["worker", "list"]);
        Ok(command)
    })
}

/// Guards: `Bootstrap::parse`, and that `read_yaml_as` tells no value.
#[test]
fn the_bootstrap_file_that_user_data_leaves() -> Result<()> {
    each("bootstrap.yaml.txt", "etc/muster/bootstrap.yaml", |dir, _| {
        let mut command = bounded("muster-agent", dir);
        command.arg("run");
        Ok(command)
    })
}

/// Guards: `settings::parse`, and `Given::check` before the agent enrols.
#[test]
fn the_agents_settings() -> Result<()> {
    each("agent.yaml.txt", "etc/muster/agent.yaml", |dir, _| {
        let mut command = bounded("muster-agent", dir);
        command.arg("run");
        Ok(command)
    })
}

/// Guards: `files::parse_json`, which tells the place alone.
#[test]
fn the_agents_own_files() -> Result<()> {
    each("identity.json.txt", "var/lib/muster-agent/identity.json", |dir, _| {
        let mut command = bounded("muster-agent", dir);
        command.arg("run");
        Ok(command)
    })
}

/// Guards: `Settings::read` of a folder that `init` made.
#[test]
fn the_folder_of_init() -> Result<()> {
    each("init.yaml.txt", "keys/init.yaml", |dir, _| {
        fs::set_permissions(dir.join("keys"), Permissions::from_mode(0o700))?;
        let mut command = bounded("muster-controller", dir);
        command.args(["init", "--dir", "keys"]);
        Ok(command)
    })
}

/// Guards: what `muster-agent apply` reads behind `--pillar @`.
#[test]
fn a_pillar_of_apply() -> Result<()> {
    each("pillar.yaml.txt", "pillar.yaml", |dir, file| {
        fs::create_dir(dir.join("tree"))?;
        fs::write(dir.join("tree/top.sls"), "base:\n  '*':\n    - a\n")?;
        fs::write(dir.join("tree/a.sls"), "a:\n  test.nop: []\n")?;
        let mut command = bounded("muster-agent", dir);
        command.args(["apply", "--test", "--local", "--file-root", "tree", "--pillar"]);
        command.arg(format!("@{}", file.display()));
        Ok(command)
    })
}

/// Guards: what clap and `args::parse` say, and that a mistake of usage is exit code 2.
#[test]
fn command_lines() -> Result<()> {
    let mut wrong = Vec::new();
    for case in cases::read("arguments.txt")? {
        let dir = tempfile::tempdir()?;
        let mut words = case.command.split(' ');
        let mut command = bounded(words.next().context("a command has a name")?, dir.path());
        let output = command.args(words).output()?;
        wrong.extend(judge(&case, &PathBuf::new(), &output).err().map(|error| error.to_string()));
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}
