//! What a shell completes with, made from the tables of commands and options.

use super::help::LIST;
use super::options::{self, Known};

/// A shell that can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// What the value of an option is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Values {
    Folder,
    File,
    Words(&'static str),
    Any,
}

/// The stages that `show` takes.
const STAGES: &str = "top sls high low lowstate";
/// The shells that `completions` takes.
const SHELLS: &str = "bash zsh fish";

/// An option of a command, with what its value is.
struct Given {
    name: &'static str,
    value: Option<Values>,
    help: &'static str,
}

impl Given {
    fn of(known: &Known) -> Given {
        let value = known.value.map(|_| match known.name {
            "--file-root" | "--pillar-root" => Values::Folder,
            "--grains" | "--pillar" | "--opts" => Values::File,
            "--out" => Values::Words("text json"),
            _ => Values::Any,
        });
        Given { name: known.name, value, help: known.help }
    }
}

/// The options of a command.
fn given(command: &str) -> Vec<Given> {
    let plain = |name, help| Given { name, value: None, help };
    let mut all: Vec<Given> = match command {
        "run" | "up" => {
            let value = Some(Values::File);
            vec![Given { name: "--config", value, help: "The bootstrap file" }]
        }
        "restore" => vec![
            plain("--test", "Only tell what would be restored"),
            plain("--force", "Restore also what was changed since"),
        ],
        other => options::of(other).map(Given::of).collect(),
    };
    all.push(plain("--help", "Show the help"));
    all
}

/// Words that a command takes besides.
fn words(command: &str) -> Vec<&'static str> {
    match command {
        "show" => STAGES.split(' ').collect(),
        "completions" => SHELLS.split(' ').collect(),
        "restore" => vec!["last"],
        "help" => LIST.iter().map(|(name, _)| *name).collect(),
        _ => Vec::new(),
    }
}

impl Shell {
    pub(super) fn named(name: &str) -> Option<Shell> {
        match name {
            "bash" => Some(Shell::Bash),
            "zsh" => Some(Shell::Zsh),
            "fish" => Some(Shell::Fish),
            _ => None,
        }
    }

    /// What it reads.
    pub(crate) fn completions(self) -> String {
        match self {
            Shell::Bash => bash(),
            Shell::Zsh => zsh(),
            Shell::Fish => fish(),
        }
    }
}

fn bash() -> String {
    let names: Vec<&str> = LIST.iter().map(|(name, _)| *name).collect();
    let mut cases = format!("        '') words='{} --help --version' ;;\n", names.join(" "));
    for name in names {
        let options = given(name).into_iter().map(|one| one.name);
        let all: Vec<&str> = words(name).into_iter().chain(options).collect();
        cases.push_str(&format!("        {name}) words='{}' ;;\n", all.join(" ")));
    }
    format!(
        "_muster_agent() {{
    local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}}
    local command='' words='' word
    for word in \"${{COMP_WORDS[@]:1:COMP_CWORD-1}}\"; do
        case $word in -*) ;; *) command=$word; break ;; esac
    done
    case $prev in
        --file-root|--pillar-root|man) COMPREPLY=($(compgen -d -- \"$cur\")); return ;;
        --config) COMPREPLY=($(compgen -f -- \"$cur\")); return ;;
        --grains|--pillar|--opts)
            COMPREPLY=($(compgen -P @ -f -- \"${{cur#@}}\")); return ;;
        --out) COMPREPLY=($(compgen -W 'text json' -- \"$cur\")); return ;;
        --id|--exclude|--only) return ;;
    esac
    case $command in
{cases}    esac
    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))
}}
complete -o filenames -F _muster_agent muster-agent
"
    )
}

fn zsh() -> String {
    let quoted = |text: &str| text.replace('\'', "'\\''").replace('[', "\\[").replace(']', "\\]");
    let mut cases = String::new();
    for (name, _) in LIST {
        let mut specs = Vec::new();
        for Given { name, value, help } in given(name) {
            let help = quoted(help);
            let action = match value {
                None => String::new(),
                Some(Values::Folder) => ":folder:_files -/".to_owned(),
                Some(Values::File) => ":file:_files".to_owned(),
                Some(Values::Words(words)) => format!(":value:({words})"),
                Some(Values::Any) => ":value: ".to_owned(),
            };
            let many = if value.is_some() { "*" } else { "" };
            specs.push(format!("'{many}{name}[{help}]{}'", action));
        }
        match (name, words(name).join(" ")) {
            ("man", _) => specs.push("'1:folder:_files -/'".to_owned()),
            (_, words) if words.is_empty() => {}
            (_, words) => specs.push(format!("'1:word:({words})'")),
        }
        cases.push_str(&format!("    {name}) _arguments {} ;;\n", specs.join(" ")));
    }
    let list = LIST.iter().map(|(name, what)| format!("    '{name}:{}'\n", quoted(what)));
    format!(
        "#compdef muster-agent
_muster_agent() {{
  local -a commands
  commands=(
{}  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  shift words
  (( CURRENT-- ))
  case $words[1] in
{cases}  esac
}}
_muster_agent \"$@\"
",
        list.collect::<String>()
    )
}

fn fish() -> String {
    let quoted = |text: &str| text.replace('\'', "\\'");
    let mut text = "complete -c muster-agent -f\n".to_owned();
    for (name, what) in LIST {
        let what = quoted(what);
        text.push_str(&format!(
            "complete -c muster-agent -n __fish_use_subcommand -a {name} -d '{what}'\n"
        ));
        let within = format!("complete -c muster-agent -n '__fish_seen_subcommand_from {name}'");
        for Given { name, value, help } in given(name) {
            let value = match value {
                None => String::new(),
                Some(Values::Folder) => " -x -a '(__fish_complete_directories)'".to_owned(),
                Some(Values::File) => " -r -F".to_owned(),
                Some(Values::Words(words)) => format!(" -x -a '{words}'"),
                Some(Values::Any) => " -x".to_owned(),
            };
            let (long, help) = (name.trim_start_matches('-'), quoted(help));
            text.push_str(&format!("{within} -l {long}{value} -d '{help}'\n"));
        }
        for word in words(name) {
            text.push_str(&format!("{within} -a {word}\n"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn each_shell_is_told_each_command_and_option() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let text = shell.completions();
            for (name, _) in LIST {
                assert!(text.contains(name), "{shell:?}: {name}");
                for option in given(name) {
                    assert!(text.contains(option.name.trim_start_matches('-')), "{text}");
                }
            }
        }
    }

    fn completed(words: &[&str]) -> Vec<String> {
        let line: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
        let script = format!(
            "{}\nCOMP_WORDS=({}); COMP_CWORD={}; _muster_agent\n\
             printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            bash(),
            line.join(" "),
            words.len() - 1
        );
        let bash = Command::new("bash").args(["-c", &script]).stderr(Stdio::inherit()).output();
        let text = String::from_utf8(bash.unwrap().stdout).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn bash_completes_commands_options_and_values() {
        assert_eq!(completed(&["muster-agent", "ap"]), ["apply"]);
        assert_eq!(completed(&["muster-agent", "apply", "--on"]), ["--only"]);
        assert_eq!(completed(&["muster-agent", "show", "lo"]), ["low", "lowstate"]);
        assert_eq!(completed(&["muster-agent", "pillar", "--out", "j"]), ["json"]);
        assert_eq!(completed(&["muster-agent", "restore", "l"]), ["last"]);
    }
}
