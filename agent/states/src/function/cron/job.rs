//! `cron.present`, `cron.absent`: jobs, known by an identifier or by their command.

use std::hash::{BuildHasher, Hasher, RandomState};

use super::tab::{Job, Place, Tab, When};
use super::{Status, done, foreseen, removed, spool, user};
use crate::function::{Context, Lint, Plan, StateFunction};
use crate::outcome::{Changes, Outcome};

const FIELDS: [&str; 5] = ["minute", "hour", "daymonth", "month", "dayweek"];

/// A job as a state describes it.
struct Wanted {
    /// `*` where nothing is said.
    fields: [String; 5],
    special: Option<String>,
    cmd: String,
    comment: Option<String>,
    commented: bool,
    identifier: Option<String>,
    /// A number or a flag is never the text that stands in the crontab.
    unlike: bool,
}

impl Wanted {
    fn of(ctx: &Context<'_>) -> Wanted {
        let cmd = ctx.name().trim().to_owned();
        let field = |name: &str| ctx.text(name).unwrap_or_else(|| "*".to_owned()).to_lowercase();
        Wanted {
            fields: FIELDS.map(field),
            special: ctx.text("special"),
            comment: ctx.text("comment"),
            commented: ctx.value("commented").is_some_and(|value| value == true),
            identifier: identifier(ctx, &cmd),
            unlike: matches!(
                ctx.value("identifier"),
                Some(serde_json::Value::Number(_) | serde_json::Value::Bool(true))
            ),
            cmd,
        }
    }

    /// Whether a job of the tab is not as it should be.
    fn differs(&self, own: &Job) -> bool {
        let said = |old: Option<&str>, new: Option<&str>| new.is_some() && old != new;
        let times = match (&own.when, &self.special) {
            (When::Fields(old), None) => old.iter().zip(&self.fields).any(field_differs),
            (When::Special(old), Some(new)) => old != new,
            (When::Special(_), None) | (When::Fields(_), Some(_)) => true,
        };
        times
            || said(own.comment.as_deref(), self.comment.as_deref())
            || own.commented != self.commented
            || own.cmd != self.cmd
            || self.identifier != own.identifier
            || self.unlike
    }

    /// The job to write: what stands at `random` keeps the time that it has.
    fn job(&self, old: Option<&Job>) -> Job {
        let when = match &self.special {
            Some(word) => When::Special(word.clone()),
            None => {
                let kept = match old.map(|old| &old.when) {
                    Some(When::Fields(kept)) => Some(kept),
                    Some(When::Special(_)) | None => None,
                };
                let mut fields = self.fields.clone();
                for (at, field) in fields.iter_mut().enumerate() {
                    if let Some(kept) = kept.map(|kept| &kept[at])
                        && !field_differs((kept, field))
                    {
                        kept.clone_into(field);
                    }
                }
                When::Fields(drawn(&fields))
            }
        };
        let comment = self.comment.clone().or_else(|| old.and_then(|old| old.comment.clone()));
        Job {
            when,
            cmd: self.cmd.clone(),
            identifier: self.identifier.clone(),
            comment,
            commented: self.commented,
        }
    }
}

/// `identifier: False` is the command; an empty one is none.
fn identifier(ctx: &Context<'_>, cmd: &str) -> Option<String> {
    match ctx.chunk.args.get("identifier") {
        None | Some(serde_json::Value::Bool(false)) => Some(cmd.to_owned()),
        Some(serde_json::Value::Null) => None,
        Some(other) => Some(crate::function::args::text(other)).filter(|id| !id.is_empty()),
    }
}

/// A random time is as wanted, once it is not "every".
fn field_differs((old, new): (&String, &String)) -> bool {
    old != new && (new != "random" || old == "*")
}

/// Draws what is `random`, or in a range `a:b`.
fn drawn(fields: &[String; 5]) -> [String; 5] {
    const SPANS: [(u64, u64); 5] = [(0, 59), (0, 23), (1, 28), (1, 12), (0, 6)];
    let mut out = fields.clone();
    for (at, field) in out.iter_mut().enumerate() {
        let span = match field.split_once(':') {
            Some((a, b)) if at != 2 => match (a.parse::<u64>(), b.parse::<u64>()) {
                (Ok(a), Ok(b)) => Some((a.min(b), a.max(b))),
                (Ok(_) | Err(_), Ok(_) | Err(_)) => None,
            },
            Some(_) => None,
            None => (field == "random").then_some(SPANS[at]),
        };
        if let Some((first, last)) = span {
            let draw = RandomState::new().build_hasher().finish();
            *field = (first + draw % (last - first + 1)).to_string();
        }
    }
    out
}

pub(in crate::function) struct Present;

impl StateFunction for Present {
    const MODULE: &'static str = "cron";
    const NAME: &'static str = "present";
    const TAKES: &'static [&'static str] = &[
        "user",
        "minute",
        "hour",
        "daymonth",
        "month",
        "dayweek",
        "comment",
        "commented",
        "identifier",
        "special",
    ];
    type Step = ();

    fn lint(chunk: &crate::chunk::Chunk) -> Vec<Lint> {
        let broken = chunk.name.trim().contains('\n');
        let reason = "a job of a crontab is one line: put the script into a file".to_owned();
        if broken { vec![("name", reason)] } else { Vec::new() }
    }

    fn check(ctx: &Context<'_>) -> Plan<()> {
        if !ctx.test {
            return Plan::change("", Changes::new(), ());
        }
        let text = match spool::read(ctx, &user(ctx)) {
            Ok(text) => text,
            Err(problem) => return Plan::failed(problem),
        };
        let (wanted, tab) = (Wanted::of(ctx), Tab::parse(&text));
        // A dry run looks at jobs of the wanted kind alone.
        let list = if wanted.special.is_some() { &tab.specials } else { &tab.jobs };
        let own = list.iter().find(|job| job.is(&wanted.cmd, wanted.identifier.as_deref()));
        let status = match own {
            None => Status::New,
            Some(own) => {
                let unsaid = wanted.identifier.is_none();
                let own = Job {
                    identifier: if unsaid { None } else { own.identifier.clone() },
                    ..own.clone()
                };
                if wanted.differs(&own) { Status::Updated } else { Status::Present }
            }
        };
        foreseen(status, &format!("Cron {}", wanted.cmd), ())
    }

    fn apply(ctx: &Context<'_>, (): ()) -> Outcome {
        let wanted = Wanted::of(ctx);
        done(ctx, set(ctx, &wanted), &format!("Cron {}", wanted.cmd))
    }
}

fn set(ctx: &Context<'_>, wanted: &Wanted) -> Result<Status, String> {
    let user = user(ctx);
    let text = spool::read(ctx, &user)?;
    let mut tab = Tab::parse(&text);
    let mut old: Option<Job> = None;
    // What is not right goes, and anything else that is the same job after it.
    while let Some(place) = tab.find(&wanted.cmd, wanted.identifier.as_deref()) {
        if !wanted.differs(tab.at(place)) {
            if old.is_some() {
                spool::write(ctx, &user, &tab.render())?;
            }
            return Ok(Status::Present);
        }
        old = Some(tab.remove(place));
    }
    let job = wanted.job(old.as_ref());
    match job.when {
        When::Fields(_) => tab.jobs.push(job),
        When::Special(_) => tab.specials.push(job),
    }
    spool::write(ctx, &user, &tab.render())?;
    Ok(if old.is_some() { Status::Updated } else { Status::New })
}

pub(in crate::function) struct Absent;

impl StateFunction for Absent {
    const MODULE: &'static str = "cron";
    const NAME: &'static str = "absent";
    const TAKES: &'static [&'static str] = &["user", "identifier", "special"];
    /// When it would have run says nothing about what it is.
    const TOLERATES: &'static [&'static str] =
        &["minute", "hour", "daymonth", "month", "dayweek", "comment", "commented"];
    type Step = ();

    fn check(ctx: &Context<'_>) -> Plan<()> {
        if !ctx.test {
            return Plan::change("", Changes::new(), ());
        }
        let text = match spool::read(ctx, &user(ctx)) {
            Ok(text) => text,
            Err(problem) => return Plan::failed(problem),
        };
        let cmd = ctx.name().trim();
        let identifier = identifier(ctx, cmd);
        if Tab::parse(&text).jobs.iter().any(|job| job.is(cmd, identifier.as_deref())) {
            Plan::change(format!("Cron {cmd} is set to be removed"), Changes::new(), ())
        } else {
            Plan::fine(format!("Cron {cmd} is absent"))
        }
    }

    fn apply(ctx: &Context<'_>, (): ()) -> Outcome {
        removed(ctx, remove(ctx), &format!("Cron {}", ctx.name().trim()))
    }
}

fn remove(ctx: &Context<'_>) -> Result<bool, String> {
    let (user, cmd) = (user(ctx), ctx.name().trim());
    let text = spool::read(ctx, &user)?;
    let mut tab = Tab::parse(&text);
    let identifier = identifier(ctx, cmd);
    let is = |job: &Job| job.is(cmd, identifier.as_deref());
    let special = ctx.text("special");
    let found = match &special {
        None => tab.jobs.iter().position(is).map(Place::Job),
        Some(word) => {
            let when = When::Special(word.clone());
            let found = tab.specials.iter().position(|job| is(job) && job.when == when);
            found.map(Place::Special)
        }
    };
    if let Some(place) = found {
        tab.remove(place);
    }
    let rendered = tab.render();
    // Salt leaves its mark where it looked for a special time in vain.
    if (found.is_some() || special.is_some()) && rendered != text {
        spool::write(ctx, &user, &rendered)?;
    }
    Ok(found.is_some())
}
