//! The command line, read by hand: a parser crate would be a tenth of the binary.

mod completions;
mod help;
mod man;
mod options;
mod value;

use options::Given;
use serde_json::{Map, Value};
use std::path::PathBuf;

pub(crate) use completions::Shell;
pub(crate) use help::{HELP, of as help_of};
pub(crate) use man::pages;

/// What to do.
#[derive(Clone, Debug, PartialEq)]
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
    States(Box<States>),
    /// The facts.
    Facts,
    /// Put back what a run has changed, with these arguments.
    Restore(Vec<String>),
    /// What a shell completes with.
    Completions(Shell),
    /// The manual pages, into this folder.
    Man(PathBuf),
    /// The help: of one command, or of all.
    Help(Option<&'static str>),
    /// The version.
    Version,
}

/// What the state engine shall do without a bus, and with what.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct States {
    /// What to do.
    pub(crate) verb: Verb,
    /// Folders of the state tree: environment and path; an earlier one hides a later one's files.
    pub(crate) file_roots: Vec<(String, PathBuf)>,
    /// Folders of the pillar tree, likewise.
    pub(crate) pillar_roots: Vec<(String, PathBuf)>,
    /// The worker's name.
    pub(crate) id: Option<String>,
    /// Facts over those of the machine.
    pub(crate) grains: Data,
    /// Pillar data over those of the tree.
    pub(crate) pillar: Data,
    /// Salt's minion options.
    pub(crate) opts: Data,
    /// SLS that are left out.
    pub(crate) exclude: Vec<String>,
    /// Only the states of this ID, and what they require.
    pub(crate) only: Option<String>,
    /// Only tell what would change.
    pub(crate) test: bool,
    /// Show a pillar's values, not only its keys.
    pub(crate) unmask: bool,
    /// Print JSON.
    pub(crate) json: bool,
}

/// What the state engine shall do.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Verb {
    /// Apply the highstate, or these SLS.
    Apply(Vec<String>),
    /// Show a stage of the compilation, of the highstate or of these SLS.
    Show(Stage, Vec<String>),
    /// Apply one state function.
    Single {
        /// `module.function`.
        function: String,
        /// Its arguments; `name` is among them.
        args: Map<String, Value>,
    },
    /// Show the pillar.
    Pillar,
}

/// A stage of the compilation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The SLS that the top file selects.
    Top,
    /// The high data of SLS.
    Sls,
    /// The high data.
    High,
    /// The low data.
    Low,
}

/// A map that the command line gives.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Data {
    /// In itself.
    Here(Map<String, Value>),
    /// In a file, so that no process list shows it.
    File(PathBuf),
}

impl Default for Data {
    fn default() -> Data {
        Data::Here(Map::new())
    }
}

/// A command line that means nothing.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// What stands there has no meaning.
    #[error("{word:?} is unknown; see muster-agent {command}--help{}", perhaps(near))]
    Unknown {
        /// As it was typed.
        word: String,
        /// What is like it.
        near: Option<&'static str>,
        /// The command with a space behind it, or nothing.
        command: String,
    },
    /// An option without its value.
    #[error("{0} needs a value; see muster-agent --help")]
    Value(&'static str),
    /// An option that takes no value has one.
    #[error("{0} takes no value")]
    NoValue(&'static str),
    /// What an option was given.
    #[error("{option}: {what}")]
    Wrong {
        /// The option.
        option: &'static str,
        /// What is wrong, and what to do.
        what: String,
    },
    /// A command lacks something.
    #[error("{0}")]
    Lacks(String),
}

fn perhaps(near: &Option<&'static str>) -> String {
    near.map(|near| format!("; do you mean {near:?}?")).unwrap_or_default()
}

/// Reads the arguments behind the program's name.
pub(crate) fn parse(args: impl IntoIterator<Item = String>) -> Result<Command, Error> {
    let mut args = args.into_iter().peekable();
    let first = args.peek().cloned().unwrap_or_default();
    match first.as_str() {
        "up" => daemon(args.skip(1), true),
        "run" => daemon(args.skip(1), false),
        "apply" | "show" | "single" | "pillar" => states(&first, args.skip(1)),
        "restore" => Ok(Command::Restore(args.skip(1).collect())),
        "facts" => match args.nth(1) {
            None => Ok(Command::Facts),
            Some(other) => plain(other, "facts"),
        },
        "completions" => completions(args.nth(1).as_deref()),
        "man" => match args.nth(1).filter(|folder| !folder.starts_with('-')) {
            Some(folder) => Ok(Command::Man(folder.into())),
            None => Err(Error::Lacks("man needs the folder for the pages: man DIR".to_owned())),
        },
        "help" => Ok(Command::Help(args.nth(1).as_deref().and_then(help::command))),
        _ => daemon(args, false),
    }
}

fn daemon(mut args: impl Iterator<Item = String>, up: bool) -> Result<Command, Error> {
    let (mut config, mut detached) = (None, false);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--config" => config = Some(args.next().ok_or(Error::Value("--config"))?),
            "--detached" if !up => detached = true,
            _ => return plain(arg, ""),
        }
    }
    Ok(if up { Command::Up { config } } else { Command::Run { config, detached } })
}

fn completions(shell: Option<&str>) -> Result<Command, Error> {
    let shell = shell.and_then(Shell::named).map(Command::Completions);
    shell.ok_or_else(|| Error::Lacks("completions needs a shell: bash, zsh or fish".to_owned()))
}

/// What means the same behind each command.
fn plain(arg: String, command: &str) -> Result<Command, Error> {
    match arg.as_str() {
        "-h" | "--help" | "help" => Ok(Command::Help(help::command(command))),
        "-V" | "--version" => Ok(Command::Version),
        _ => {
            let near = options::near(&arg, help::words(command));
            let command = if command.is_empty() { "".into() } else { format!("{command} ") };
            Err(Error::Unknown { word: arg, near, command })
        }
    }
}

/// `apply`, `show`, `single` and `pillar`, which share their options.
fn states(command: &str, args: impl Iterator<Item = String>) -> Result<Command, Error> {
    let given = match options::read(command, args)? {
        Ok(given) => given,
        Err(other) => return plain(other, command),
    };
    let mut own = Own::default();
    let verb = match command {
        "apply" => Verb::Apply(sls(&given)?),
        "show" => show(&given)?,
        "single" => single(&given, &mut own)?,
        _ => match given.words.first() {
            Some(word) => return plain(word.clone(), command),
            None => Verb::Pillar,
        },
    };
    if command == "apply" && !given.has("--local") {
        let why = "apply needs --local: without it states come from the controller \
                   (muster apply WORKER)";
        return Err(Error::Lacks(why.to_owned()));
    }
    let opts = given.data("--opts")?;
    let (needed, what, option) = match command {
        "pillar" => ("--pillar-root", "pillar", "pillar_roots"),
        _ => ("--file-root", "state", "file_roots"),
    };
    let optional = match &opts {
        Data::Here(opts) => opts.contains_key(option),
        Data::File(_) => true,
    };
    if command != "single" && !given.has(needed) && !optional {
        let lacks = format!("{command} needs {needed} DIR, the folder of the {what} tree");
        return Err(Error::Lacks(lacks));
    }
    if given.last("--id") == Some("") {
        return Err(Error::Lacks(
            "--id needs the worker's name: leave it out for this machine's".to_owned(),
        ));
    }
    let lists = |option| given.all(option).flat_map(|all| all.split(',')).map(str::to_owned);
    let states = States {
        file_roots: given.roots("--file-root")?,
        pillar_roots: given.roots("--pillar-root")?,
        id: given.last("--id").map(str::to_owned),
        grains: given.data("--grains")?,
        pillar: own.pillar.map_or_else(|| given.data("--pillar"), |own| Ok(Data::Here(own)))?,
        opts,
        exclude: lists("--exclude").collect(),
        only: given.last("--only").map(str::to_owned),
        test: own.test.unwrap_or_else(|| given.has("--test")),
        unmask: given.has("--unmask"),
        json: given.json()?,
        verb,
    };
    Ok(Command::States(Box::new(states)))
}

/// The SLS that are named, also as Salt's `a,b`.
fn sls(given: &Given) -> Result<Vec<String>, Error> {
    if let Some(word) = given.words.iter().find(|word| word.contains('=')) {
        let name = word.split('=').next().unwrap_or_default();
        let what = format!("{word:?} is no SLS: options are written --{name}, see --help");
        return Err(Error::Lacks(what));
    }
    let names = given.words.iter().flat_map(|word| word.split(','));
    Ok(names.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect())
}

fn show(given: &Given) -> Result<Verb, Error> {
    const STAGES: [&str; 5] = ["top", "sls", "low", "high", "lowstate"];
    let mut names = sls(given)?;
    if names.is_empty() {
        let lacks = "show needs what to show: top, sls, low, high or lowstate";
        return Err(Error::Lacks(lacks.to_owned()));
    }
    let stage = match names.remove(0).as_str() {
        "top" if names.is_empty() => Stage::Top,
        "top" => return Err(Error::Lacks("show top takes no SLS".to_owned())),
        "sls" if names.is_empty() => {
            return Err(Error::Lacks("show sls needs at least one SLS".to_owned()));
        }
        "sls" => Stage::Sls,
        "high" => Stage::High,
        "low" | "lowstate" => Stage::Low,
        other => {
            let near = options::near(other, STAGES.into_iter());
            let command = "show ".to_owned();
            return Err(Error::Unknown { word: other.to_owned(), near, command });
        }
    };
    Ok(Verb::Show(stage, names))
}

/// Options of a run that Salt takes among the arguments of `single`.
#[derive(Default)]
struct Own {
    test: Option<bool>,
    pillar: Option<Map<String, Value>>,
}

impl Own {
    fn take(&mut self, args: &mut Map<String, Value>) -> Result<(), Error> {
        // As in Salt, all but a plain `False` asks for a dry run.
        let test = args.shift_remove("test").filter(|test| !test.is_null());
        self.test = test.map(|test| test != Value::Bool(false));
        self.pillar = match args.shift_remove("pillar") {
            None | Some(Value::Null) => None,
            Some(Value::Object(pillar)) => Some(pillar),
            Some(_) => {
                let what = "pillar= is not a map: write pillar='{\"key\": \"value\"}'";
                return Err(Error::Lacks(what.to_owned()));
            }
        };
        Ok(())
    }
}

fn single(given: &Given, own: &mut Own) -> Result<Verb, Error> {
    let usage = "single needs a state function and its name: single file.managed /etc/motd \
                 contents=hello";
    let (words, mut args) = value::split(&given.words);
    let mut words = words.into_iter();
    let function = match words.next() {
        Some(Value::String(function)) => function,
        Some(_) | None => args
            .shift_remove("fun")
            .and_then(|fun| fun.as_str().map(str::to_owned))
            .ok_or_else(|| Error::Lacks(usage.to_owned()))?,
    };
    if let Some(name) = words.next() {
        args.insert("name".to_owned(), name);
    }
    if let Some(word) = words.next() {
        let what = format!("single takes one function and one name: {word} is one too many");
        return Err(Error::Lacks(what));
    }
    if !args.contains_key("name") {
        return Err(Error::Lacks(usage.to_owned()));
    }
    own.take(&mut args)?;
    Ok(Verb::Single { function, args })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parsed(line: &str) -> Result<Command, Error> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    fn states_of(line: &str) -> States {
        match parsed(line) {
            Ok(Command::States(states)) => *states,
            other => panic!("{other:?}"),
        }
    }

    fn said(line: &str) -> String {
        parsed(line).unwrap_err().to_string()
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
        for line in ["--help", "run -h", "up --help"] {
            assert_eq!(parsed(line), Ok(Command::Help(None)), "{line}");
        }
        for line in ["apply --help", "help apply", "apply --local -h"] {
            assert_eq!(parsed(line), Ok(Command::Help(Some("apply"))), "{line}");
        }
        assert_eq!(parsed("--version"), Ok(Command::Version));
        assert_eq!(parsed("completions zsh"), Ok(Command::Completions(Shell::Zsh)));
        assert_eq!(parsed("man /x"), Ok(Command::Man("/x".into())));
    }

    #[test]
    fn apply_takes_files_and_options_in_any_order() {
        let line = "apply a --local --file-root /t --test --out json b.c,d --file-root=dev=/u \
                    --pillar-root /p --id w1 --grains {\"os\":1} --exclude x,y --only z";
        let found = states_of(line);
        assert_eq!(found.verb, Verb::Apply(vec!["a".into(), "b.c".into(), "d".into()]));
        let roots = [("base".into(), "/t".into()), ("dev".into(), "/u".into())];
        assert_eq!(found.file_roots, roots);
        assert_eq!(found.pillar_roots, [("base".into(), "/p".into())]);
        assert_eq!(found.id.as_deref(), Some("w1"));
        let grains = json!({"os": 1}).as_object().unwrap().clone();
        assert_eq!(found.grains, Data::Here(grains));
        assert_eq!(found.exclude, ["x", "y"]);
        assert_eq!(found.only.as_deref(), Some("z"));
        assert!(found.test && found.json);
    }

    #[test]
    fn show_names_a_stage_and_maybe_sls() {
        let verb = |line: &str| states_of(&format!("show {line} --file-root /t")).verb;
        assert_eq!(verb("top"), Verb::Show(Stage::Top, vec![]));
        assert_eq!(verb("low a b"), Verb::Show(Stage::Low, vec!["a".into(), "b".into()]));
        assert_eq!(verb("lowstate"), Verb::Show(Stage::Low, vec![]));
        assert!(said("show hihg --file-root /t").contains("do you mean \"high\"?"));
        assert!(said("show --file-root /t").contains("top, sls, low, high"));
    }

    #[test]
    fn single_reads_arguments_as_salt_does() {
        let found = states_of("single test.nop a=1 b=[x,2] test=True pillar={p:1} -- --foo");
        let Verb::Single { function, args } = found.verb else { panic!() };
        assert_eq!(function, "test.nop");
        assert_eq!(Value::Object(args), json!({"a": 1, "b": ["x", 2], "name": "--foo"}));
        assert!(found.test);
        assert!(matches!(found.pillar, Data::Here(pillar) if pillar.len() == 1));
        assert!(!states_of("single test.nop a test=False --test").test);
        assert!(states_of("single test.nop a --test").test);
        assert!(said("single test.nop a pillar=x").contains("pillar= is not a map"));
        assert!(said("single test.nop").contains("single needs a state function"));
    }

    #[test]
    fn what_means_nothing_is_refused_by_name() {
        assert_eq!(said("bogus"), "\"bogus\" is unknown; see muster-agent --help");
        let text = "\"--fileroot\" is unknown; see muster-agent apply --help; do you mean \
                    \"--file-root\"?";
        assert_eq!(said("apply --fileroot /x"), text);
        assert!(said("completions ksh").contains("bash, zsh or fish"));
        assert!(said("man").contains("man DIR"));
        assert!(said("aply").contains("do you mean \"apply\"?"));
        assert!(said("up --detached").contains("\"--detached\" is unknown"));
        assert_eq!(parsed("run --config"), Err(Error::Value("--config")));
        assert!(said("apply --local a").starts_with("apply needs --file-root DIR"));
        assert!(said("apply --file-root /x a").starts_with("apply needs --local"));
        assert!(said("apply a test=True").contains("options are written --test"));
        assert!(said("apply --local --file-root /t --out xml").contains("text or json"));
        assert!(
            said("apply --local --file-root /t --id=").contains("--id needs the worker's name")
        );
        let said = said("apply --local --file-root /t --grains {\"a\":}");
        assert!(said.starts_with("--grains: line 1, column 6: "), "{said}");
    }
}
