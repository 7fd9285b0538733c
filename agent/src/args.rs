//! The command line, read by hand: a parser crate would be a tenth of the binary.

use std::path::PathBuf;

/// Shown by `--help`.
pub(crate) const HELP: &str = "\
Muster's daemon on a worker

Usage: muster-agent [COMMAND] [OPTIONS]

Commands:
  run    Run the daemon in the foreground (the default)
  up     Start the daemon: as a systemd service where there is systemd, else in the background
  apply  Apply states of a folder to this machine, without a bus
  facts  Print what the agent knows of this machine, as JSON

Options of run and up:
  --config FILE    The bootstrap file [default: /etc/muster/bootstrap.yaml]

Options of apply:
  --local DIR      The folder of the state tree: SLS files and top.sls
  --pillar FILE    The pillar, as YAML or JSON
  --test           Only tell what would change
  -o, --output F   text or json [default: text]
  [SLS]...         Apply these files instead of the highstate

  -h, --help       Show this
  -V, --version    Show the version

Environment:
  MUSTER_ROOT      A folder that stands for the machine's /
  MUSTER_LOG       error, warn, info, debug or trace [default: info]
  MUSTER_SERVER_ID The instance's own id, where the machine has no DMI UUID
";

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// The daemon, here.
    Run {
        /// Another bootstrap file.
        config: Option<String>,
        /// Away from the terminal, and telling who waits on stdout that it runs.
        detached: bool,
    },
    /// The daemon, apart.
    Up {
        /// Another bootstrap file.
        config: Option<String>,
    },
    /// The state engine alone.
    Apply(Apply),
    /// The facts.
    Facts,
    /// The help.
    Help,
    /// The version.
    Version,
}

/// How to apply states without a bus.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Apply {
    /// The tree.
    pub(crate) tree: PathBuf,
    /// The pillar's file.
    pub(crate) pillar: Option<PathBuf>,
    /// These files instead of the highstate.
    pub(crate) sls: Vec<String>,
    /// A dry run.
    pub(crate) test: bool,
    /// Print JSON.
    pub(crate) json: bool,
}

/// A command line that means nothing.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// What stands there has no meaning.
    #[error("{0:?} is unknown; see muster-agent --help")]
    Unknown(String),
    /// An option without its value.
    #[error("{0} needs a value; see muster-agent --help")]
    Value(&'static str),
    /// No tree.
    #[error("apply needs --local DIR, the folder of the state tree")]
    NoTree,
}

/// Reads the arguments behind the program's name.
pub(crate) fn parse(args: impl IntoIterator<Item = String>) -> Result<Command, Error> {
    let mut args = args.into_iter().peekable();
    match args.peek().map(String::as_str) {
        Some("up") => daemon(args.skip(1), true),
        Some("run") => daemon(args.skip(1), false),
        Some("apply") => apply(args.skip(1)),
        Some("facts") => match args.nth(1) {
            None => Ok(Command::Facts),
            Some(other) => plain(other),
        },
        None | Some(_) => daemon(args, false),
    }
}

fn daemon(mut args: impl Iterator<Item = String>, up: bool) -> Result<Command, Error> {
    let (mut config, mut detached) = (None, false);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--config" => config = Some(args.next().ok_or(Error::Value("--config"))?),
            "--detached" if !up => detached = true,
            _ => return plain(arg),
        }
    }
    Ok(if up { Command::Up { config } } else { Command::Run { config, detached } })
}

fn apply(mut args: impl Iterator<Item = String>) -> Result<Command, Error> {
    let mut apply = Apply::default();
    let mut tree = None;
    while let Some(arg) = args.next() {
        let mut value = |name| args.next().ok_or(Error::Value(name));
        match arg.as_str() {
            "--local" => tree = Some(value("--local")?),
            "--pillar" => apply.pillar = Some(value("--pillar")?.into()),
            "--test" => apply.test = true,
            "-o" | "--output" => match value("--output")?.as_str() {
                "json" => apply.json = true,
                "text" => apply.json = false,
                other => return Err(Error::Unknown(other.to_owned())),
            },
            option if option.starts_with('-') => return plain(arg),
            _ => apply.sls.push(arg),
        }
    }
    apply.tree = tree.ok_or(Error::NoTree)?.into();
    Ok(Command::Apply(apply))
}

/// What means the same behind each command.
fn plain(arg: String) -> Result<Command, Error> {
    match arg.as_str() {
        "-h" | "--help" | "help" => Ok(Command::Help),
        "-V" | "--version" => Ok(Command::Version),
        _ => Err(Error::Unknown(arg)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, Error> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn a_line_means_a_command() {
        let run = |config: Option<&str>, detached| Command::Run {
            config: config.map(str::to_owned),
            detached,
        };
        assert_eq!(parsed(""), Ok(run(None, false)));
        assert_eq!(parsed("--config /a"), Ok(run(Some("/a"), false)));
        assert_eq!(parsed("run --detached"), Ok(run(None, true)));
        assert_eq!(parsed("up --config /a"), Ok(Command::Up { config: Some("/a".into()) }));
        assert_eq!(parsed("facts"), Ok(Command::Facts));
        for line in ["--help", "run -h", "apply --help", "up --help", "facts --help"] {
            assert_eq!(parsed(line), Ok(Command::Help), "{line}");
        }
        assert_eq!(parsed("--version"), Ok(Command::Version));
    }

    #[test]
    fn apply_takes_files_and_options_in_any_order() {
        let expected = Apply {
            tree: "/t".into(),
            pillar: Some("/p".into()),
            sls: vec!["a".into(), "b.c".into()],
            test: true,
            json: true,
        };
        let line = "apply a --local /t --test -o json b.c --pillar /p";
        assert_eq!(parsed(line), Ok(Command::Apply(expected)));
    }

    #[test]
    fn what_means_nothing_is_refused_by_name() {
        assert_eq!(parsed("bogus"), Err(Error::Unknown("bogus".into())));
        assert_eq!(parsed("up --detached"), Err(Error::Unknown("--detached".into())));
        assert_eq!(parsed("run --config"), Err(Error::Value("--config")));
        assert_eq!(parsed("apply a"), Err(Error::NoTree));
        assert_eq!(parsed("apply --local /t -o xml"), Err(Error::Unknown("xml".into())));
    }
}
