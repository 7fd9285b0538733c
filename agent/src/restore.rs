//! `muster-agent restore`: the runs whose files are kept, and putting back what one has changed.

use crate::Failure;
use crate::paths::{self, Root};
use anyhow::Context;
use muster_states::backup::{self, KeptRun};
use std::io::Write;

pub(crate) const HELP: &str = "\
List the runs of states whose files are kept, or put back what one has changed

Usage: muster-agent restore [OPTIONS] [RUN]

Arguments:
  RUN          The run's name, or `last`; without one, the runs are listed

Options:
  --test       Only tell what would be restored
  --force      Restore also what was changed since
  -h, --help   Show this

Files, links and folders are restored, with owner and mode; packages, services and what
commands did are not.

Examples:
  muster-agent restore
  muster-agent restore last --test
";

/// What to do.
#[derive(Debug, Default, PartialEq, Eq)]
struct Request {
    run: Option<String>,
    test: bool,
    force: bool,
    help: bool,
}

/// Does what the arguments behind `restore` say; false if something could not be restored.
pub(crate) fn restore(root: &Root, args: &[String]) -> Result<bool, Failure> {
    let request = parse(args)?;
    let folder = paths::by_hand(root).backups();
    if request.help {
        return print(HELP).map(|()| true);
    }
    let runs = backup::runs(&folder).context("looking for kept runs")?;
    let name = match request.run.as_deref() {
        None => return print(&listed(&runs)).map(|()| true),
        Some("last") => runs.last().map(|run| run.name.clone()).unwrap_or_default(),
        Some(name) => name.to_owned(),
    };
    let done = backup::restore(&folder, &name, request.test, request.force)
        .map_err(|error| anyhow::anyhow!("{}", crate::chain(&error)))?;
    let mut text = String::new();
    for one in &done {
        let mark = if one.is_done { "" } else { "left: " };
        text.push_str(&format!("{mark}{} {}\n", one.path.display(), one.told));
    }
    let left = done.iter().filter(|one| !one.is_done).count();
    text.push_str(&format!("{} of {} paths of run {name}\n", done.len() - left, done.len()));
    print(&text)?;
    Ok(left == 0)
}

fn listed(runs: &[KeptRun]) -> String {
    let line = |run: &KeptRun| {
        format!("{}  {:>5} paths  {:>8} KiB\n", run.name, run.paths, run.bytes.div_ceil(1024))
    };
    match runs {
        [] => "no run's files are kept\n".to_owned(),
        runs => runs.iter().map(line).collect(),
    }
}

fn parse(args: &[String]) -> Result<Request, Failure> {
    let mut request = Request::default();
    for arg in args {
        match arg.as_str() {
            "--test" => request.test = true,
            "--force" => request.force = true,
            "-h" | "--help" => request.help = true,
            option if option.starts_with('-') => {
                let told = format!("{option:?} is unknown; see muster-agent restore --help");
                return Err(Failure::Usage(told));
            }
            name if request.run.is_none() => request.run = Some(name.to_owned()),
            _ => return Err(Failure::Usage("restore takes one run at a time".to_owned())),
        }
    }
    Ok(request)
}

fn print(text: &str) -> Result<(), Failure> {
    std::io::stdout().write_all(text.as_bytes()).context("printing")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_named_and_options_stand_anywhere() {
        let parsed = |line: &str| {
            parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).ok()
        };
        assert_eq!(parsed(""), Some(Request::default()));
        let run = Some("last".to_owned());
        let expected = Request { run, test: true, force: true, help: false };
        assert_eq!(parsed("--force last --test"), Some(expected));
        assert_eq!(parsed("one two"), None);
        assert_eq!(parsed("--all"), None);
    }

    #[test]
    fn a_list_has_a_line_for_each_run() {
        assert_eq!(listed(&[]), "no run's files are kept\n");
        let run = KeptRun { name: "20261129T130501.000000".to_owned(), paths: 3, bytes: 1025 };
        assert_eq!(listed(&[run]), "20261129T130501.000000      3 paths         2 KiB\n");
    }
}
