//! What becomes of a service that was just started.
//!
//! systemd takes a service of the simple kind for started as soon as its process is there: that the
//! program is not, or ends at once, shows a moment later. Who looks before that sees it run.

use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use super::{Systemd, is_plain, manager, systemctl, unit_name};

/// How long a program must run, to be taken for one that started.
const RUNS: Duration = Duration::from_millis(50);
/// How long a process may prepare for its program: folders of its own, limits, a slow disk.
const PREPARES_MAX: Duration = Duration::from_secs(10);
/// How often it is looked at.
const POLL: Duration = Duration::from_millis(5);
/// What later versions of systemd prepare a process with.
const EXECUTOR: &str = "systemd-executor";

/// The main process of a service, as systemd knows it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Main {
    /// The kind of the service: `simple`, `forking`, `notify`..
    pub(super) kind: String,
    /// 0: none, or none any more.
    pub(super) pid: u64,
}

impl Main {
    /// Whether systemd tells of the start before the program has its say.
    fn is_early(&self) -> bool {
        self.pid != 0 && matches!(self.kind.as_str(), "simple" | "exec")
    }
}

impl Systemd<'_> {
    /// Waits until a service that was just started runs its program, or is over again.
    ///
    /// Nothing is told: whoever looks afterwards sees what became of it. Of other kinds of units,
    /// and other kinds of services, systemd itself told when they had started.
    pub(crate) fn settle(&self, name: &str) {
        let unit = unit_name(name);
        let looked_at = Instant::now();
        let (mut pid, mut ran_since) = (None, None);
        while let Some(main) = self.early(&unit)
            && *pid.get_or_insert(main.pid) == main.pid
            && looked_at.elapsed() < PREPARES_MAX
        {
            match program(main.pid) {
                Program::Own if ran_since.get_or_insert_with(Instant::now).elapsed() < RUNS => {}
                // systemd is about to hear of one that is over.
                Program::Systemd | Program::Over => {}
                Program::Own | Program::Hidden => return,
            }
            if self.cancel.wait(POLL).is_err() {
                return;
            }
        }
    }

    /// The main process of a service that systemd told of before its program had its say.
    fn early(&self, unit: &str) -> Option<Main> {
        if !unit.ends_with(".service") || unit.contains("@.") {
            return None;
        }
        let by_bus = is_plain(unit).then(|| self.by_bus(|bus| manager::main(bus, unit)));
        let main = match by_bus.flatten() {
            Some(main) => main.ok(),
            None => systemctl::main(self, unit).ok(),
        };
        main.filter(Main::is_early)
    }
}

/// What a process runs.
enum Program {
    /// systemd's own program still: it prepares.
    Systemd,
    Own,
    /// Nothing any more.
    Over,
    /// That is not for us to know.
    Hidden,
}

fn program(pid: u64) -> Program {
    let exe = format!("/proc/{pid}/exe");
    let known = std::fs::read_link(&exe).and_then(|path| Ok((path, std::fs::metadata(&exe)?)));
    match (known, std::fs::metadata("/proc/1/exe")) {
        (Err(error), _) if error.kind() == std::io::ErrorKind::NotFound => Program::Over,
        (Err(_), _) => Program::Hidden,
        (Ok((path, _)), _) if path.file_name().is_some_and(|name| name == EXECUTOR) => {
            Program::Systemd
        }
        (Ok((_, its)), Ok(first)) if (its.dev(), its.ino()) == (first.dev(), first.ino()) => {
            Program::Systemd
        }
        (Ok(_), _) => Program::Own,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_systemd_told_of_too_early_is_waited_for() {
        let main = |kind: &str, pid| Main { kind: kind.to_owned(), pid };
        assert!(main("simple", 7).is_early() && main("exec", 7).is_early());
        assert!(!main("simple", 0).is_early() && !main("notify", 7).is_early());
    }

    #[test]
    fn a_process_runs_a_program_of_its_own_until_it_has_ended() {
        let mut child = std::process::Command::new("sleep").arg("100").spawn().unwrap();
        let pid = u64::from(child.id());
        assert!(matches!(program(pid), Program::Own));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(matches!(program(pid), Program::Over));
    }
}
