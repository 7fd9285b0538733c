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
  completions  Print what a shell completes with: bash, zsh or fish
  man     Write the manual pages into a folder
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

/// Every command, and what it does in a few words.
pub(super) const LIST: [(&str, &str); 11] = [
    ("run", "Run the daemon in the foreground"),
    ("up", "Start the daemon"),
    ("apply", "Apply states of a folder to this machine, without a controller"),
    ("show", "Show what a state tree compiles to"),
    ("single", "Apply one state function"),
    ("pillar", "Show the pillar of a folder"),
    ("restore", "Put back what a run of states has changed, or list the runs"),
    ("facts", "Print what the agent knows of this machine"),
    ("completions", "Print what a shell completes with"),
    ("man", "Write the manual pages into a folder"),
    ("help", "Show the help of a command"),
];

/// A command with options of its own.
pub(super) struct Help {
    pub(super) name: &'static str,
    pub(super) usage: &'static str,
    pub(super) what: &'static str,
    pub(super) examples: &'static str,
}

pub(super) const COMMANDS: [Help; 4] = [
    Help {
        name: "apply",
        usage: "muster-agent apply --local --file-root DIR [OPTIONS] [SLS]...",
        what: "Applies the highstate (what top.sls gives to this machine), or the SLS that are \
               named.\n\n\
               Exit code: 0 all went well, 1 the tree did not compile and nothing was run, 2 a \
               state failed.\n\
               With --out json it prints what `salt-call --local --out=json` gives under `local`; \
               errors\nwith their file and line are on stderr. What files were before is kept: \
               see restore.",
        examples: "  muster-agent apply --local --file-root /srv/salt --pillar-root /srv/pillar\n  \
                   muster-agent apply web db --local --file-root /srv/salt --test\n  \
                   muster-agent apply --local --file-root base=/srv/salt \\\n      \
                   --file-root dev=/srv/dev\n  \
                   muster-agent apply web --only nginx.conf --local \\\n      \
                   --file-root /srv/salt \
                   --pillar @secrets.yaml --opts '{\"muster_secrets\": \"all\"}'\n",
    },
    Help {
        name: "show",
        usage: "muster-agent show top|sls|high|low|lowstate --file-root DIR [OPTIONS] [SLS]...",
        what: "Shows a stage of the compilation, of the highstate or of the SLS that are \
               named:\n  \
               top       the SLS that top.sls gives to this machine, by environment\n  \
               sls       the high data of the SLS that are named\n  \
               high      the high data\n  \
               low       the low data, in the order in which they run (lowstate is the same)\n\
               Nothing is changed; secrets of the pillar are shown.",
        examples: "  muster-agent show top --file-root /srv/salt\n  \
                   muster-agent show sls web.conf --file-root /srv/salt \\\n      \
                   --pillar-root /srv/pillar\n  \
                   muster-agent show low --file-root /srv/salt --id db1 \\\n      \
                   --grains '{\"os\": \"Rocky\"}' --out json\n",
    },
    Help {
        name: "single",
        usage: "muster-agent single FUNCTION NAME [KEY=VALUE]... [OPTIONS]",
        what: "Applies one state function. Values are read as YAML, as Salt's command line reads \
               them.\nWords behind -- are no options.",
        examples: "  muster-agent single file.managed /etc/motd contents=hello\n  \
                   muster-agent single pkg.installed vim --test\n  \
                   muster-agent single cmd.run -- '--version'\n",
    },
    Help {
        name: "pillar",
        usage: "muster-agent pillar --pillar-root DIR [OPTIONS]",
        what: "Shows the pillar: its keys, and its values only with --unmask.",
        examples: "  muster-agent pillar --pillar-root /srv/pillar --id db1\n  \
                   muster-agent pillar --pillar-root /srv/pillar --unmask --out json\n",
    },
];

/// The command of this name, if it has a help of its own.
pub(super) fn command(name: &str) -> Option<&'static str> {
    COMMANDS.iter().map(|command| command.name).find(|command| *command == name)
}

/// The words that may stand behind a command, or at the very beginning.
pub(super) fn words(command: &str) -> impl Iterator<Item = &'static str> {
    let first = LIST.iter().map(|(name, _)| *name).chain(["--config"]);
    let first = first.filter(move |_| command.is_empty());
    first.chain(options::names(command)).chain(["--help", "--version"])
}

/// The help of one command.
pub(crate) fn of(name: &str) -> String {
    let Some(help) = COMMANDS.iter().find(|command| command.name == name) else {
        return HELP.to_owned();
    };
    let Help { usage, what, examples, .. } = help;
    let mut text = format!("{what}\n\nUsage: {usage}\n\nOptions:\n");
    for known in options::of(name) {
        let left = format!("{} {}", known.name, known.value.unwrap_or_default());
        text.push_str(&format!("  {left:<26} {}\n", known.help));
    }
    text.push_str("  -h, --help                 Show this\n\n");
    text.push_str("A JSON that stands in a file is given as @FILE (YAML will do).\n\n");
    text.push_str(&format!("Examples:\n{examples}"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_has_a_help_that_names_its_options() {
        for Help { name, .. } in COMMANDS {
            let text = of(name);
            assert!(text.contains(&format!("Examples:\n  muster-agent {name}")), "{text}");
            assert!(text.contains(&format!("Usage: muster-agent {name}")), "{text}");
            assert!(text.contains("--file-root [ENV=]DIR"), "{text}");
            assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
        }
        assert!(of("apply").contains("--only ID") && !of("show").contains("--only"));
        assert_eq!(of("run"), HELP);
        assert!(LIST.iter().all(|(name, _)| HELP.contains(&format!("\n  {name} "))));
    }
}
