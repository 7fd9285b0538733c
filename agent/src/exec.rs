//! Runs one program that the controller sent, without a shell.

use muster_protocol::event::{Executed, OUTPUT_BYTES_MAX};
use muster_protocol::id::Token;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

/// The longest that a program may run.
const TIMEOUT_MAX: Duration = Duration::from_secs(3600);
/// Arguments of one program, and their bytes.
const ARGUMENTS_MAX: usize = 1000;
const ARGUMENTS_BYTES_MAX: usize = 128 << 10;
/// How long a program that has ended may leave its output open (to a daemon that it started).
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// A program to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Program {
    argv: Vec<String>,
    timeout: Duration,
    folder: PathBuf,
}

impl Program {
    /// A program, if it is one that can be run.
    pub(crate) fn new(
        argv: Vec<String>,
        timeout_secs: u32,
        folder: PathBuf,
    ) -> Result<Program, &'static str> {
        let bytes: usize = argv.iter().map(|argument| argument.len() + 1).sum();
        if argv.first().is_none_or(String::is_empty) {
            return Err("no program is named");
        }
        if argv.len() > ARGUMENTS_MAX || bytes > ARGUMENTS_BYTES_MAX {
            return Err("it has too many arguments");
        }
        if argv.iter().any(|argument| argument.contains('\0')) {
            return Err("an argument holds a NUL");
        }
        let timeout = Duration::from_secs(u64::from(timeout_secs.max(1))).min(TIMEOUT_MAX);
        Ok(Program { argv, timeout, folder })
    }

    /// Runs it to its end or its timeout; its whole process group is gone then.
    pub(crate) async fn run(self, command: Token) -> Executed {
        let begin = Instant::now();
        let mut executed = match self.spawn() {
            Ok((child, group)) => self.wait(command, child, group).await,
            Err(error) => {
                let error = format!("starting {}: {error}", self.argv[0]);
                Executed { error: Some(error), ..nothing(command) }
            }
        };
        executed.duration_millis = u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX);
        executed
    }

    fn spawn(&self) -> std::io::Result<(Child, Group)> {
        let child = Command::new(&self.argv[0])
            .args(&self.argv[1..])
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let group = Group(child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw));
        Ok((child, group))
    }

    async fn wait(&self, command: Token, mut child: Child, group: Group) -> Executed {
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let (mut out, mut err) = (Output::default(), Output::default());
        let ended = {
            let read = async { tokio::join!(out.read(stdout), err.read(stderr)) };
            tokio::pin!(read);
            let mut is_read = false;
            let end = async {
                loop {
                    tokio::select! {
                        status = child.wait() => break status,
                        _ = &mut read, if !is_read => is_read = true,
                    }
                }
            };
            let ended = tokio::time::timeout(self.timeout, end).await;
            if ended.is_err() {
                group.kill();
            }
            if !is_read {
                // What is still open then belongs to something that it left behind.
                let drained = tokio::time::timeout(DRAIN_TIMEOUT, read).await;
                tracing::debug!(all = drained.is_ok(), "the program's output");
            }
            ended
        };
        let (code, error) = match ended {
            Ok(Ok(status)) => end_of(status),
            Ok(Err(error)) => (None, Some(format!("waiting for it: {error}"))),
            Err(_) => (None, Some(format!("killed after {} s", self.timeout.as_secs()))),
        };
        Executed {
            code,
            error,
            truncated: out.truncated || err.truncated,
            stdout: out.text(),
            stderr: err.text(),
            ..nothing(command)
        }
    }
}

/// A program's process group: whatever it started, unless that left the group.
struct Group(Option<Pid>);

impl Group {
    fn kill(&self) {
        let Some(group) = self.0 else { return };
        if let Err(error) = killpg(group, Signal::SIGKILL) {
            tracing::debug!(%group, %error, "the process group is gone already");
        }
    }
}

impl Drop for Group {
    /// Also when the agent stops in the middle.
    fn drop(&mut self) {
        self.kill();
    }
}

fn nothing(command: Token) -> Executed {
    Executed {
        command,
        code: None,
        stdout: String::new(),
        stderr: String::new(),
        truncated: false,
        error: None,
        duration_millis: 0,
    }
}

fn end_of(status: ExitStatus) -> (Option<i32>, Option<String>) {
    use std::os::unix::process::ExitStatusExt;
    let killed = status.signal().map(|signal| format!("killed by signal {signal}"));
    (status.code(), killed)
}

/// The first bytes of a stream; the rest is read and dropped, so that the program is not blocked.
#[derive(Default)]
struct Output {
    bytes: Vec<u8>,
    truncated: bool,
}

impl Output {
    async fn read(&mut self, stream: Option<impl AsyncRead + Unpin>) {
        let Some(mut stream) = stream else { return };
        let mut buffer = vec![0; 8 << 10];
        while let Ok(read) = stream.read(&mut buffer).await {
            if read == 0 {
                return;
            }
            let room = (OUTPUT_BYTES_MAX - self.bytes.len()).min(read);
            self.bytes.extend_from_slice(&buffer[..room]);
            self.truncated |= room < read;
        }
    }

    fn text(self) -> String {
        let text = String::from_utf8_lossy(&self.bytes);
        let mut text = text.into_owned();
        // Each byte that is no text has become three.
        text.truncate(text.floor_char_boundary(OUTPUT_BYTES_MAX));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use muster_protocol::id::random;
    use tokio::time::interval;

    const LOOK: Duration = Duration::from_millis(10);

    fn program(line: &str, timeout_secs: u32) -> Program {
        let argv = ["/bin/sh", "-c", line].map(str::to_owned).to_vec();
        Program::new(argv, timeout_secs, "/".into()).unwrap()
    }

    async fn run(line: &str, timeout_secs: u32) -> Executed {
        program(line, timeout_secs).run(Token::random(random())).await
    }

    #[tokio::test]
    async fn a_programs_code_and_output_are_told() {
        let executed = run("echo out; echo err >&2; exit 3", 10).await;
        assert_eq!((executed.stdout.as_str(), executed.stderr.as_str()), ("out\n", "err\n"));
        assert_eq!((executed.code, executed.error, executed.truncated), (Some(3), None, false));
    }

    #[tokio::test]
    async fn at_its_timeout_all_that_it_started_is_killed() {
        let executed = run("tail -f /dev/null & echo $!; wait", 1).await;
        assert_eq!(executed.code, None);
        assert_eq!(executed.error.as_deref(), Some("killed after 1 s"));
        let child: i32 = executed.stdout.trim().parse().unwrap();
        // The signal was sent before the answer; a busy kernel takes a moment to end it.
        let ended = async {
            let (path, mut look) = (format!("/proc/{child}/stat"), interval(LOOK));
            loop {
                let state = std::fs::read_to_string(&path).unwrap_or_default();
                if state.is_empty() || state.contains(") Z ") {
                    return;
                }
                look.tick().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), ended).await.expect("it lives on");
    }

    #[tokio::test]
    async fn a_daemon_that_keeps_the_output_open_does_not_keep_the_answer() {
        let executed = run("tail -f /dev/null & echo done", 60).await;
        assert_eq!((executed.code, executed.stdout.as_str()), (Some(0), "done\n"));
    }

    #[tokio::test]
    async fn long_output_is_cut_and_the_program_ends() {
        let executed = run("head -c 1000000 /dev/zero; printf '\\377%.0s' 1 >&2", 10).await;
        assert_eq!(executed.code, Some(0));
        assert_eq!((executed.stdout.len(), executed.truncated), (OUTPUT_BYTES_MAX, true));
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_told_by_name() {
        let argv = vec!["/no/such/program".to_owned()];
        let program = Program::new(argv, 1, "/".into()).unwrap();
        let executed = program.run(Token::random(random())).await;
        assert!(executed.error.unwrap().contains("/no/such/program"));
    }

    #[test]
    fn what_is_no_program_is_refused() {
        let refused = |argv: &[&str]| {
            let argv = argv.iter().map(|&argument| argument.to_owned()).collect();
            Program::new(argv, 1, "/".into()).is_err()
        };
        assert!(refused(&[]) && refused(&[""]) && refused(&["a", "b\0c"]));
        assert!(refused(&["a", &"x".repeat(ARGUMENTS_BYTES_MAX)]));
    }
}
