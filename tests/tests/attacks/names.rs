//! Names that are none: they never become part of a subject, a key, or a JWT.

use crate::ground::{Ground, tried};
use crate::person::Person;
use anyhow::{Context, Result, ensure};
use muster_protocol::api::{Answer, PoolView, RefusalKind, TailOpened};
use muster_protocol::id::{Token, random};
use muster_protocol::jwt::{self, Stamp};
use muster_protocol::subject::{Account, Role};
use muster_protocol::wire::{Message, decode, encode};
use muster_tests::cluster::{PATIENCE, Setup};
use nkeys::KeyPair;
use serde::{Deserialize, Serialize};

/// With a part that each could be known by, where it is long.
fn hostile() -> Vec<String> {
    let plain = [
        "",
        "*",
        ">",
        "a.b",
        "a.*",
        "*.a",
        "a.>",
        ".",
        "..",
        "a.",
        ".a",
        " ",
        "a b",
        "a\tb",
        "a\nb",
        "a\r\nPUB x 0\r\n",
        "a\0b",
        "-a",
        "a-",
        "A",
        "$JS",
        "$KV.WORKERS.a",
        "_R_",
        "a/b",
        "../a",
        "{{name()}}",
        "ä",
        "а",
        "ａ",
        "a\u{200b}b",
        "a\u{202e}b",
        "\u{2024}",
        "a․b",
        "＊",
        "﹡",
        "％",
        "tęst",
        "test\u{301}",
        "ﬁ",
        "0\u{660}",
    ];
    let mut all: Vec<String> = plain.map(String::from).into();
    all.extend(["x".repeat(300), "x.".repeat(150), "😀".repeat(20)]);
    all
}

/// A message as some other program would write it: text wherever a name should be.
macro_rules! raw {
    ($name:ident { $($field:ident: $type:ty),* }, $message:literal) => {
        #[derive(Serialize, Deserialize)]
        struct $name { $($field: $type),* }
        impl Message for $name {
            const NAME: &'static str = $message;
        }
    };
}
raw!(Scale { pool: String, size: u32 }, "api.pool.scale");
raw!(Tail { lease: String, filter: String, since: Option<i64> }, "api.tail.open");

async fn ask<Q: Message, A: for<'a> Deserialize<'a> + Serialize>(
    person: &Person,
    subject: &str,
    question: &Q,
) -> Result<Answer<A>>
where
    Answer<A>: Message,
{
    let asked = person.nats.request(subject.to_owned(), encode(question).into());
    let answer = tokio::time::timeout(PATIENCE, asked).await.context("no answer")??;
    Ok(decode(&answer.payload)?)
}

/// Guards: `id!` in `protocol/src/id.rs`, which has no other way in than `FromStr`.
#[tokio::test]
async fn a_call_with_a_name_that_is_none_is_refused_and_reaches_no_subject() -> Result<()> {
    let ground = Ground::start(&Setup::default()).await?;
    let (person, bus) =
        (ground.person(Role::Operator, "otto").await?, ground.ears(Account::Bus).await?);
    let mut tries = 0;
    for name in hostile() {
        let scale = Scale { pool: name.clone(), size: 1 };
        let answer: Answer<PoolView> = ask(&person, "muster.api.otto.pool.scale", &scale).await?;
        ensure!(kind(&answer) == Some(RefusalKind::Invalid), "{name:?} is a pool");
        // A lease may hold what a worker's name may not.
        if name.parse::<Token>().is_ok() {
            continue;
        }
        let tail = Tail { lease: name.clone(), filter: "muster.event.>".into(), since: None };
        let answer: Answer<TailOpened> = ask(&person, "muster.api.otto.tail.open", &tail).await?;
        ensure!(kind(&answer) == Some(RefusalKind::Invalid), "{name:?} is a lease");
        tries += 2;
    }
    bus.catch_up().await?;
    let feeds = bus.heard().into_iter().filter(|heard| heard.subject.starts_with("muster.feed."));
    ensure!(feeds.count() == 0, "something was fed");
    tried("calls with names that are none", tries)?;
    ground.cluster.finish(&[])
}

fn kind<A>(answer: &Answer<A>) -> Option<RefusalKind> {
    match answer {
        Answer::Ok(_) => None,
        Answer::Refused(refusal) => Some(refusal.kind),
    }
}

/// Tails of what is no event: what is stored elsewhere is not shown, whatever is asked.
///
/// Guards: `Api::tail`, whose consumer is one of stream EVENTS alone.
#[tokio::test]
async fn a_tail_shows_events_and_nothing_else_whatever_its_filter_says() -> Result<()> {
    let ground = Ground::start(&Setup::default()).await?;
    ground.cluster.scale(&ground.admin, 1).await?;
    ground.ready().await?;
    let person = ground.person(Role::Viewer, "vera").await?;
    let filters = [
        "$KV.>",
        "$KV.WORKERS.>",
        "$JS.>",
        "muster.stats.>",
        "muster.stats.*",
        "muster.blob.*.*",
        "muster.api.>",
        "muster.cmd.>",
        "_INBOX.>",
        "_R_.>",
        "muster.feed.>",
        "\r\n",
        "",
    ];
    for filter in filters {
        let lease = Token::random(random()).to_string();
        let tail = Tail { lease, filter: filter.into(), since: Some(0) };
        let answer: Answer<TailOpened> = ask(&person, "muster.api.vera.tail.open", &tail).await?;
        ensure!(kind(&answer).is_some(), "{filter:?} is tailed");
    }
    tried("tails of what is no event", filters.len())?;
    ground.cluster.finish(&[])
}

/// JWTs: the keys' own functions take ids; below them, names are text.
///
/// Guards: `check_name` in `jwt.rs`. A user named `*` could publish in everybody's name.
#[tokio::test]
async fn no_jwt_bears_a_name_that_is_none() -> Result<()> {
    let (signer, account) = (KeyPair::new_account(), KeyPair::new_account().public_key());
    let key = KeyPair::new_user().public_key();
    let mut tries = 0;
    for role in Role::ALL {
        for name in hostile() {
            let made = jwt::user(role, &name, &key, &signer, &account, None, &Stamp::fresh());
            ensure!(made.is_err(), "{role:?} {name:?}");
            tries += 1;
        }
    }
    tried("JWTs with names that are none", tries)
}

/// Subjects with more or other tokens than a name: the server refuses them, or nobody answers.
///
/// Guards: the templates in `subject.rs`, whose `{{name()}}` is one token, and the controller's
/// `subject::tokens`.
#[tokio::test]
async fn a_subject_with_a_name_that_is_none_is_not_the_callers() -> Result<()> {
    let ground = Ground::start(&Setup::default()).await?;
    let mut person = ground.person(Role::Operator, "otto").await?;
    let names = ["*", ">", "otto.x", "Otto", "OTTO", "оtto", "x", "ottо"];
    for name in names {
        let subject = format!("muster.api.{name}.worker.list");
        ensure!(!person.may_publish(&subject).await?, "otto speaks as {name:?}");
    }
    tried("subjects in names that are none", names.len())?;
    ground.cluster.finish(&[])
}
