//! `muster context`: this machine's ways into clusters, and which of them is the current one.

use super::Caller;
use crate::context::{Context, Draft, Fields, Name, Places};
use crate::failure::{Exit, Failure, OrNext, Result};
use crate::output::{Cell, Output, Rfc3339, Style, Table, clock, note, span};
use anyhow::Context as _;
use muster_protocol::api::PersonRole;
use muster_protocol::id::UnixMillis;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// What to do with contexts.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Show all contexts, and until when each credential lives
    List,
    /// Make one the current one: what commands use without --context
    Use {
        /// Its name
        name: Name,
    },
    /// Show one without its secrets
    Show {
        /// Its name [default: the one that commands use]
        name: Option<Name>,
    },
    /// Take in a context file; the first one becomes the current one
    Add {
        /// The file, as `muster user add` or `muster init` has made it
        file: PathBuf,
        /// What to call it [default: the cluster's name]
        #[arg(long)]
        name: Option<Name>,
        /// Replace the one of that name, e.g. by a newer credential
        #[arg(long)]
        force: bool,
    },
    /// Remove one from this machine; its credential lives on until it ends or is revoked
    Remove {
        /// Its name
        name: Name,
    },
}

/// Does it.
pub(crate) fn run(command: &Command, caller: &Caller) -> Result<Exit> {
    let (places, output) = (Places::usual(), &caller.output);
    match command {
        Command::List => list(&places, caller)?,
        Command::Use { name } => {
            let context = Context::read(&places.existing(name)?)?;
            places.choose(name)?;
            told(output, name, &context, true)?;
        }
        Command::Show { name } => show(&places, name.as_ref(), caller)?,
        Command::Add { file, name, force } => add(&places, file, name.as_ref(), *force, output)?,
        Command::Remove { name } => {
            if places.remove(name)? {
                note("no context is the current one now: muster context use NAME");
            }
            let value = serde_json::json!({ "removed": name.to_string() });
            output.show(&value, || lines(&[("REMOVED", name.to_string())]))?;
        }
    }
    Ok(Exit::Ok)
}

/// What programs read of one.
#[derive(Debug, Serialize)]
struct Shown {
    name: Option<String>,
    current: bool,
    file: PathBuf,
    cluster: Option<String>,
    servers: Vec<String>,
    user: Option<String>,
    role: Option<PersonRole>,
    expires: Option<Rfc3339>,
    renewable: Option<bool>,
    /// Why it cannot be used.
    error: Option<String>,
    #[serde(skip)]
    end: Option<UnixMillis>,
}

impl Shown {
    fn of(name: Option<&Name>, current: bool, file: PathBuf) -> Shown {
        let (context, error) = match Context::read(&file) {
            Ok(context) => (Some(context), None),
            Err(failure) => (None, Some(format!("{}: {}", failure.text(), failure.next()))),
        };
        let end = context.as_ref().and_then(|context| context.claims()?.end());
        let of = context.as_ref();
        Shown {
            name: name.map(ToString::to_string),
            current,
            file,
            cluster: of.map(|context| context.cluster.to_string()),
            servers: of.map(|context| context.servers.clone()).unwrap_or_default(),
            user: of.map(|context| context.user.to_string()),
            role: of.map(|context| context.role),
            expires: end.map(Rfc3339),
            renewable: of.map(|context| context.renewable),
            error,
            end,
        }
    }

    fn end(&self, now: UnixMillis) -> Cell {
        match (self.end.map(|end| end.since(now)), &self.error) {
            (_, Some(_)) => Cell::maybe(None::<&str>),
            (None, None) => Cell::text("never"),
            (Some(..=0), None) => Cell::text("ended").styled(Style::Bad),
            (Some(left), None) => Cell::text(span(left)),
        }
    }
}

/// The file that commands use without a name, or with the one that was typed.
fn in_use(places: &Places, caller: &Caller) -> Result<Option<PathBuf>> {
    match &caller.context {
        Some(typed) => places.resolve(typed).map(Some),
        None => Ok(places.find()),
    }
}

fn is_same(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        (_, _) => a == b,
    }
}

fn list(places: &Places, caller: &Caller) -> Result<()> {
    let used = in_use(places, caller)?;
    let mut all = Vec::new();
    for name in places.names()? {
        let file = places.file(&name);
        let current = used.as_ref().is_some_and(|used| is_same(used, &file));
        all.push(Shown::of(Some(&name), current, file));
    }
    // A file of its own, which has no name.
    if let Some(used) = used.filter(|_| !all.iter().any(|shown| shown.current)) {
        all.push(Shown::of(None, true, used));
    }
    caller.output.show(&all, || table(&all, UnixMillis::now()))?;
    if caller.output.is_table() {
        let broken = all.iter().filter_map(|shown| shown.error.as_ref());
        broken.for_each(|error| note(error));
    }
    Ok(())
}

fn table(all: &[Shown], now: UnixMillis) -> Table {
    let mut table = Table::new(&["CURRENT", "NAME", "CLUSTER", "USER", "ROLE", "ENDS IN", "FILE"]);
    for shown in all {
        table.row([
            Cell::text(if shown.current { "*" } else { "" }),
            Cell::maybe(shown.name.as_ref()),
            Cell::maybe(shown.cluster.as_ref()),
            Cell::maybe(shown.user.as_ref()),
            Cell::maybe(shown.role),
            shown.end(now),
            Cell::text(shown.file.display()),
        ]);
    }
    table
}

fn show(places: &Places, name: Option<&Name>, caller: &Caller) -> Result<()> {
    let used = in_use(places, caller)?;
    let file = match (name, &used) {
        (Some(name), _) => places.existing(name)?,
        (None, Some(used)) => used.clone(),
        (None, None) => Context::load(None)?.path,
    };
    let context = Context::read(&file)?;
    let own = places.names()?.into_iter().find(|name| is_same(&places.file(name), &file));
    let current = used.is_some_and(|used| is_same(&used, &file));
    let shown = Shown::of(own.as_ref(), current, file);
    caller.output.show(&shown, || {
        let now = UnixMillis::now();
        let end = match shown.end {
            None => "never".to_owned(),
            Some(end) if end <= now => format!("ended on {}", clock(end)),
            Some(end) => format!("{}, in {}", clock(end), span(end.since(now))),
        };
        lines(&[
            ("CONTEXT", own.map_or_else(|| "-".to_owned(), |name| name.to_string())),
            ("file", shown.file.display().to_string()),
            ("cluster", context.cluster.to_string()),
            ("servers", context.servers.join(", ")),
            ("user", context.user.to_string()),
            ("role", context.role.to_string()),
            ("ends", end),
            ("renewable", if context.renewable { "yes" } else { "no" }.to_owned()),
        ])
    })
}

fn lines(lines: &[(&str, String)]) -> Table {
    let mut table = Table::new(&[lines[0].0, lines[0].1.as_str()]);
    for (name, value) in &lines[1..] {
        table.row([Cell::text(name), Cell::text(value)]);
    }
    table
}

/// Copies it, with the CA inside. The file that stood for the current context so far moves.
fn add(
    places: &Places,
    from: &Path,
    name: Option<&Name>,
    force: bool,
    output: &Output,
) -> Result<()> {
    let context = Context::read(from)?;
    let name = name.cloned().unwrap_or_else(|| Name::from(context.cluster.clone()));
    let file = places.file(&name);
    if file.symlink_metadata().is_ok() && !force {
        let what = format!("there is a context {name} already");
        return Err(Failure::say(what, "give another name with --name, or --force to replace it"));
    }
    places.make()?;
    let text = Fields::whole(&context)?.text();
    let draft = Draft::begin(&file)?;
    match force {
        true => draft.replace(&text)?,
        false => draft.create(&text)?,
    }
    let current = places.current();
    let same = from.canonicalize().ok();
    let moves = !current.is_symlink() && same.is_some() && current.canonicalize().ok() == same;
    if moves {
        let removed = std::fs::remove_file(&current);
        removed.with_context(|| format!("removing {}", current.display())).or_next("remove it")?;
    }
    let first = current.symlink_metadata().is_err();
    if first {
        places.choose(&name)?;
    }
    told(output, &name, &context, first || places.current_name().as_ref() == Some(&name))?;
    if !moves {
        let from = from.display();
        note(&format!("{from} holds the same secret: remove it unless it is used elsewhere"));
    }
    Ok(())
}

fn told(output: &Output, name: &Name, context: &Context, current: bool) -> Result<()> {
    let value = serde_json::json!({
        "name": name.to_string(), "cluster": context.cluster, "user": context.user,
        "role": context.role, "current": current,
    });
    output.show(&value, || {
        let mut table = Table::new(&["CONTEXT", "CLUSTER", "USER", "ROLE", "CURRENT"]);
        table.row([
            Cell::text(name),
            Cell::text(&context.cluster),
            Cell::text(&context.user),
            Cell::text(context.role),
            Cell::text(if current { "yes" } else { "no" }),
        ]);
        table
    })
}
