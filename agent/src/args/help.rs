//! What `--help` shows: of the program, and of each command that has options of its own.

use super::options;

/// Shown by `--help`.
pub(crate) const HELP: &str = "\
Muster's daemon on a worker, and its state engine

Usage: muster-agent [COMMAND] [OPTIONS]

Commands:
  run     Run the daemon in the foreground (the default)
  up      Start the daemon: as a systemd service where there is systemd, else in the background
  apply   Apply states of a folder to this machine, without a controller
  show    Show what a state tree compiles to: top, sls, high, low
  single  Apply one state function
  pillar  Show the pillar of a folder
  restore Put back what a run of states has changed, or list the runs
  facts   Print what the agent knows of this machine, as JSON
  help    Show the help of a command

Options of run and up:
  --config FILE    The bootstrap file [default: /etc/muster/bootstrap.yaml]

  -h, --help       Show this
  -V, --version    Show the version

Environment:
  MUSTER_ROOT      A folder that stands for the machine's /
  MUSTER_DATA      Where runs by hand keep their journal and what files were
                   [default: /var/lib/muster-agent]
  MUSTER_LOG       error, warn, info, debug or trace [default: info]
  MUSTER_SERVER_ID The instance's own id, where the machine has no DMI UUID
  NO_COLOR         No colours, also on a terminal
";

/// Usage, what it does, and what is worth knowing of a command.
const COMMANDS: [(&str, &str, &str); 4] = [
    (
        "apply",
        "muster-agent apply --local --file-root DIR [OPTIONS] [SLS]...",
        "Applies the highstate (what top.sls gives to this machine), or the SLS that are named.\n\n\
         Exit code: 0 all went well, 1 the tree did not compile and nothing was run, 2 a state \
         failed.\n\
         With --out json it prints what `salt-call --local --out=json` gives under `local`; \
         errors\nwith their file and line are on stderr.",
    ),
    (
        "show",
        "muster-agent show top|sls|high|low|lowstate --file-root DIR [OPTIONS] [SLS]...",
        "Shows a stage of the compilation, of the highstate or of the SLS that are named:\n  \
         top       the SLS that top.sls gives to this machine, by environment\n  \
         sls       the high data of the SLS that are named\n  \
         high      the high data\n  \
         low       the low data, in the order in which they run (lowstate is the same)",
    ),
    (
        "single",
        "muster-agent single FUNCTION NAME [KEY=VALUE]... [OPTIONS]",
        "Applies one state function, as `single file.managed /etc/motd contents=hello`. Values \
         are read\nas YAML, as Salt's command line reads them. Words behind -- are no options.",
    ),
    (
        "pillar",
        "muster-agent pillar --pillar-root DIR [OPTIONS]",
        "Shows the pillar: its keys, and its values only with --unmask.",
    ),
];

/// The command of this name, if it has a help of its own.
pub(super) fn command(name: &str) -> Option<&'static str> {
    COMMANDS.iter().map(|(command, ..)| *command).find(|command| *command == name)
}

/// The words that may stand behind a command, or at the very beginning.
pub(super) fn words(command: &str) -> impl Iterator<Item = &'static str> {
    let first = ["run", "up", "apply", "show", "single", "pillar", "facts", "help", "--config"];
    let first = first.into_iter().filter(move |_| command.is_empty());
    first.chain(options::names(command)).chain(["--help", "--version"])
}

/// The help of one command.
pub(crate) fn of(name: &str) -> String {
    let Some((_, usage, what)) = COMMANDS.iter().find(|(command, ..)| *command == name) else {
        return HELP.to_owned();
    };
    let mut text = format!("{what}\n\nUsage: {usage}\n\nOptions:\n");
    for known in options::of(name) {
        let left = format!("{} {}", known.name, known.value.unwrap_or_default());
        text.push_str(&format!("  {left:<26} {}\n", known.help));
    }
    text.push_str("  -h, --help                 Show this\n\n");
    text.push_str("A JSON that stands in a file is given as @FILE (YAML will do).\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_has_a_help_that_names_its_options() {
        for (name, ..) in COMMANDS {
            let text = of(name);
            assert!(text.contains(&format!("Usage: muster-agent {name}")), "{text}");
            assert!(text.contains("--file-root [ENV=]DIR"), "{text}");
            assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
        }
        assert!(of("apply").contains("--only ID") && !of("show").contains("--only"));
        assert_eq!(of("run"), HELP);
    }
}
