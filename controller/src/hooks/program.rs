//! Runs a program of the head node: no shell, its input given, its time limited, nothing left of
//! it.

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::collections::VecDeque;
use std::process::{ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, Command};

/// The last bytes of a program's output that are kept.
pub(crate) const OUTPUT_BYTES_MAX: usize = 4 << 10;
/// The last lines of it.
const OUTPUT_LINES_MAX: usize = 20;
/// How long output is awaited of a program that has ended and left others that hold it open.
const DRAIN: Duration = Duration::from_millis(500);
/// What a program gets of our environment: the rest may hold a cloud's password.
const ENVIRONMENT: [&str; 6] = ["PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ"];

/// Why something did not succeed, and the last that it said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failed {
    /// Why, in words.
    pub(crate) what: String,
    /// The last lines of its output.
    pub(crate) output: String,
}

impl Failed {
    pub(crate) fn new(what: String) -> Failed {
        Failed { what, output: String::new() }
    }
}

/// The end of an output.
#[derive(Debug, Default)]
pub(crate) struct Tail(VecDeque<u8>);

impl Tail {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.0.extend(bytes);
        let excess = self.0.len().saturating_sub(OUTPUT_BYTES_MAX);
        self.0.drain(..excess);
    }

    /// The last lines, readable on a terminal.
    pub(crate) fn text(&self) -> String {
        let bytes: Vec<u8> = self.0.iter().copied().collect();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        let last = lines[lines.len().saturating_sub(OUTPUT_LINES_MAX)..].join("\n");
        last.chars().filter(|letter| *letter == '\n' || !letter.is_control()).collect()
    }
}

/// A process group that is killed unless it has ended in order.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0
            && let Err(error) = killpg(group, Signal::SIGKILL)
        {
            tracing::debug!(%group, %error, "a program's processes were gone already");
        }
    }
}

/// Runs a program to its end; when that is not there in time, kills it with all that it started.
/// The same happens when the future is dropped.
pub(crate) async fn run(argv: &[String], input: &str, timeout: Duration) -> Result<(), Failed> {
    let Some((program, arguments)) = argv.split_first() else {
        return Err(Failed::new("there is no program".into()));
    };
    let mut command = Command::new(program);
    let kept = ENVIRONMENT.iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
    command.args(arguments).current_dir("/").env_clear().envs(kept).process_group(0);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let started = command.spawn();
    let mut child = started.map_err(|error| Failed::new(not_started(program, &error)))?;
    let mut group = Group(child.id().and_then(|id| Some(Pid::from_raw(i32::try_from(id).ok()?))));
    let tail = Mutex::new(Tail::default());
    let ended = tokio::time::timeout(timeout, attend(&mut child, input, &tail)).await;
    let failed = |what| Failed { what, output: lock(&tail).text() };
    match ended {
        Ok(Ok(status)) => {
            group.0 = None;
            match status.success() {
                true => Ok(()),
                false => Err(failed(format!("it ended with {status}"))),
            }
        }
        Ok(Err(error)) => Err(failed(format!("waiting for it: {error}"))),
        Err(_) => Err(failed(format!("it was killed after {} s", timeout.as_secs()))),
    }
}

fn not_started(program: &str, error: &std::io::Error) -> String {
    let missing = error.kind() == std::io::ErrorKind::NotFound;
    let hint = if missing { "; give its full path" } else { "" };
    format!("starting {program}: {error}{hint}")
}

/// Gives a program its input and takes its output until it ends.
async fn attend(child: &mut Child, input: &str, tail: &Mutex<Tail>) -> std::io::Result<ExitStatus> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let spoken =
        async { tokio::join!(write(stdin, input), read(stdout, tail), read(stderr, tail)) };
    let mut spoken = std::pin::pin!(spoken);
    tokio::select! {
        status = child.wait() => {
            // What it has left behind may hold its output open for ever.
            if tokio::time::timeout(DRAIN, spoken).await.is_err() {
                tracing::debug!("a program left others that hold its output");
            }
            status
        }
        _ = &mut spoken => child.wait().await,
    }
}

/// A program that does not read its input is not wrong.
async fn write(stdin: Option<ChildStdin>, input: &str) {
    let Some(mut stdin) = stdin else { return };
    if let Err(error) = stdin.write_all(input.as_bytes()).await {
        tracing::debug!(%error, "a program did not read its input");
    }
}

async fn read(from: Option<impl AsyncRead + Unpin>, tail: &Mutex<Tail>) {
    let Some(mut from) = from else { return };
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        lock(tail).push(&buffer[..count]);
    }
}

fn lock(tail: &Mutex<Tail>) -> MutexGuard<'_, Tail> {
    tail.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    const LONG: Duration = Duration::from_secs(30);

    fn shell(script: &str) -> Vec<String> {
        ["/bin/sh", "-c", script].map(str::to_owned).into()
    }

    async fn output(script: &str) -> Failed {
        run(&shell(script), "in\n", LONG).await.unwrap_err()
    }

    /// Whether a process runs; one that nobody has reaped does not.
    fn is_alive(pid: &str) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
    }

    async fn is_gone(pid: &str) {
        let mut poll = tokio::time::interval(Duration::from_millis(5));
        let wait = async {
            while is_alive(pid) {
                poll.tick().await;
            }
        };
        tokio::time::timeout(LONG, wait).await.unwrap();
    }

    #[tokio::test]
    async fn a_program_gets_its_input_and_nothing_secret() {
        let failed = output("read line; echo got $line; pwd; env; exit 3").await;
        assert!(failed.what.contains("exit status: 3"), "{failed:?}");
        assert!(failed.output.starts_with("got in\n/\n"), "{failed:?}");
        let kept = |line: &str| {
            let name = line.split('=').next().unwrap_or_default();
            ENVIRONMENT.contains(&name) || ["PWD", "SHLVL", "_", "OLDPWD"].contains(&name)
        };
        assert!(failed.output.lines().skip(2).all(kept), "{failed:?}");
        run(&shell("exit 0"), "in\n", LONG).await.unwrap();
    }

    #[tokio::test]
    async fn the_last_lines_of_an_output_are_kept() {
        let failed =
            output("i=0; while [ $i -lt 5000 ]; do i=$((i+1)); echo $i; done; exit 1").await;
        let lines: Vec<&str> = failed.output.lines().collect();
        assert_eq!((lines.len(), lines[0], lines[19]), (20, "4981", "5000"));
        let failed = output("printf '\\033[31mred\\377'; exit 1").await;
        assert_eq!(failed.output, "[31mred\u{fffd}");
    }

    #[tokio::test]
    async fn a_program_that_takes_too_long_is_killed_with_all_it_started() {
        let script = "sleep 1000 & echo $!; trap '' TERM; wait; wait";
        let failed = run(&shell(script), "", Duration::from_secs(1)).await.unwrap_err();
        assert_eq!(failed.what, "it was killed after 1 s");
        is_gone(failed.output.trim()).await;
    }

    #[tokio::test]
    async fn a_run_that_is_given_up_leaves_no_process() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pid");
        let script = format!("sleep 1000 & echo $! >{0}.new; mv {0}.new {0}; wait", path.display());
        let argv = shell(&script);
        {
            let mut run = std::pin::pin!(run(&argv, "", LONG));
            let mut poll = tokio::time::interval(Duration::from_millis(5));
            while !Path::new(&path).exists() {
                tokio::select! {
                    done = &mut run => panic!("{done:?}"),
                    _ = poll.tick() => {}
                }
            }
        }
        is_gone(std::fs::read_to_string(&path).unwrap().trim()).await;
    }

    #[tokio::test]
    async fn a_program_that_leaves_another_behind_has_ended() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pid");
        let argv = shell(&format!("sleep 1000 & echo $! >{}; exit 0", path.display()));
        run(&argv, "", Duration::from_secs(20)).await.unwrap();
        let pid = std::fs::read_to_string(&path).unwrap();
        assert!(is_alive(pid.trim()));
        let pid = Pid::from_raw(pid.trim().parse().unwrap());
        nix::sys::signal::kill(pid, Signal::SIGKILL).unwrap();
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_told() {
        let failed = run(&["/no/such".to_owned()], "", LONG).await.unwrap_err();
        assert!(failed.what.contains("/no/such") && failed.what.contains("full path"));
    }
}
