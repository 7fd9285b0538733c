//! `muster keys`: which keys the controller has, new ones in their place, the end of the old ones.

mod view;

use super::Caller;
use crate::confirm::confirm;
use crate::context::Context;
use crate::failure::{Exit, Failure, Result};
use crate::output::note;
use crate::renewal;
use crate::session::Session;
use muster_protocol::api::{
    KeysDrop, KeysRotate, KeysShow, KeysView, Question, RefusalKind, Rotation,
};
use std::time::{Duration, Instant};
use view::{Shown, table};

/// How long the one controller that leads is looked for among all that answer.
const LEADER_PATIENCE: Duration = Duration::from_secs(15);
const LEADER_PAUSE: Duration = Duration::from_millis(200);
/// How long agents may take to renew before old keys are dropped.
const DROP_PATIENCE: Duration = Duration::from_secs(120);
const DROP_PAUSE: Duration = Duration::from_secs(1);
/// How long the servers may take to know of a change.
const SETTLE_PATIENCE: Duration = Duration::from_secs(60);
const SETTLE_PAUSE: Duration = Duration::from_millis(500);
/// The word that confirms.
const WORD: &str = "drop";
const WARNING: &str = "What replaced role keys and CAs have signed ends now. Whoever has not run \
    `muster user renew` since they were replaced needs a new context file.";

/// What to do with keys.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Show the public halves of the keys, when they end, and how full the list of revocations is
    Show,
    /// Make keys anew while all is running; the old ones count until what they signed has ended
    Rotate {
        /// Which keys: the one that signs commands, those that sign credentials, the CA, or all
        what: What,
        /// End what the old keys signed as soon as each live agent has something newer
        #[arg(long)]
        drop_old: bool,
        /// Do not ask before that
        #[arg(long, requires = "drop_old")]
        yes: bool,
    },
    /// End what replaced role keys and CAs have signed, once each live agent has something newer
    DropOld {
        /// Also if live agents are lost by it
        #[arg(long)]
        force: bool,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

/// Which keys are made anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum What {
    /// Signs commands, desired states and the registry; root.nk must be on the head node
    Command,
    /// Sign the credentials of agents, people and controllers
    Roles,
    /// Vouches for the servers; ca.key must be on the head node
    Ca,
    /// All three
    All,
}

/// Does it.
pub(crate) async fn run(command: &Command, caller: &Caller) -> Result<Exit> {
    match command {
        Command::Show => {
            let session = caller.connect().await?;
            let view = session.ask(&KeysShow {}).await?;
            session.close().await;
            tell(&view, caller)?;
        }
        Command::Rotate { what, drop_old, yes } => {
            rotate(*what, *drop_old, *yes, caller).await?;
        }
        Command::DropOld { force, yes } => {
            ask_first(*yes).await?;
            renew(caller).await?;
            tell(&drop_replaced(*force, caller).await?, caller)?;
        }
    }
    Ok(Exit::Ok)
}

async fn rotate(what: What, drop_old: bool, yes: bool, caller: &Caller) -> Result<()> {
    if drop_old {
        ask_first(yes).await?;
    }
    let session = caller.connect().await?;
    let asked = KeysRotate { what: what.into() };
    ask_leader(&session, &asked, LEADER_PATIENCE).await?;
    let mut view = settled(&session).await?;
    session.close().await;
    if what != What::Command {
        renew(caller).await?;
    }
    if drop_old {
        view = drop_replaced(false, caller).await?;
    }
    tell(&view, caller)?;
    for line in advice(what, drop_old) {
        note(line);
    }
    Ok(())
}

/// What is left to do for people.
fn advice(what: What, dropped: bool) -> Vec<&'static str> {
    let mut all = Vec::new();
    if what != What::Command && !dropped {
        all.push(
            "agents renew by themselves; each other person runs: muster user renew; then the old \
             keys can be ended: muster keys drop-old",
        );
    }
    if matches!(what, What::Ca | What::All) {
        all.push(
            "nats-servers that the controller does not run need the new server.pem and server.key, \
             and then: nats-server --signal reload",
        );
    }
    if matches!(what, What::Command | What::All) {
        all.push("move root.nk away from the head node again");
    }
    if matches!(what, What::Ca | What::All) {
        all.push("move the new ca.key away from the head node");
    }
    all
}

async fn ask_first(yes: bool) -> Result<()> {
    if yes { Ok(()) } else { confirm(WARNING, WORD).await }
}

/// On a connection by the newest credential: the old ones are cut by this very call.
async fn drop_replaced(force: bool, caller: &Caller) -> Result<KeysView> {
    let session = caller.connect().await?;
    let (until, mut told) = (Instant::now() + DROP_PATIENCE, String::new());
    loop {
        let failure = match ask_leader(&session, &KeysDrop { force }, DROP_PATIENCE).await {
            Ok(_) => {
                let view = settled(&session).await;
                session.close().await;
                return view;
            }
            Err(failure) => failure,
        };
        let waits = failure.refusal().is_some_and(|refusal| refusal.kind == RefusalKind::Conflict);
        if !waits || Instant::now() > until {
            return Err(failure);
        }
        if failure.text() != told {
            told = failure.text();
            note(&format!("waiting: {told}"));
        }
        tokio::time::sleep(DROP_PAUSE).await;
    }
}

/// Waits until the servers know the keys. An answer may get lost meanwhile, or the connection.
async fn settled(session: &Session) -> Result<KeysView> {
    let until = Instant::now() + SETTLE_PATIENCE;
    loop {
        let view = match session.ask_within(&KeysShow {}, SETTLE_PAUSE * 4).await {
            Ok(view) if view.settled => return Ok(view),
            view => view,
        };
        if Instant::now() > until {
            let next = "the controller tries again by itself; its log says what is in the way";
            return view.and_then(|_| Err(Failure::say("the servers do not know it yet", next)));
        }
        tokio::time::sleep(SETTLE_PAUSE).await;
    }
}

/// Asks until the controller that leads answers: a call comes to any of them.
async fn ask_leader<Q: Question>(
    session: &Session,
    question: &Q,
    patience: Duration,
) -> Result<Q::Answer> {
    let until = Instant::now() + patience;
    loop {
        match session.ask(question).await {
            Err(failure) if is_elsewhere(&failure) && Instant::now() < until => {
                tokio::time::sleep(LEADER_PAUSE).await;
            }
            answered => return answered,
        }
    }
}

fn is_elsewhere(failure: &Failure) -> bool {
    failure.refusal().is_some_and(|refusal| refusal.kind == RefusalKind::Unavailable)
}

/// Brings the context file up to date.
async fn renew(caller: &Caller) -> Result<()> {
    let context = Context::load(caller.context.as_deref())?;
    let session = Session::open(&context).await?;
    renewal::now_for(&context, &session).await?;
    session.close().await;
    note(&format!("renewed {}", context.path.display()));
    Ok(())
}

fn tell(view: &KeysView, caller: &Caller) -> Result<()> {
    caller.output.show(&Shown::of(view), || table(view))?;
    if caller.output.is_table() {
        for line in view::summary(view) {
            note(&line);
        }
    }
    Ok(())
}

impl From<What> for Rotation {
    fn from(what: What) -> Rotation {
        match what {
            What::Command => Rotation::Command,
            What::Roles => Rotation::Roles,
            What::Ca => Rotation::Ca,
            What::All => Rotation::All,
        }
    }
}
