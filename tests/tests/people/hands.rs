//! People at work in a test: their context files, commands, tails and connections, and what only an
//! attacker or the time could do to them.

#[allow(dead_code, reason = "only its signer is needed here")]
#[path = "../accounts/person.rs"]
mod person;

use anyhow::{Context, Result, bail, ensure};
use muster_controller::keys::Keys;
use muster_protocol::api::{UserList, UserState};
use muster_protocol::bus::{Bus, Credential, Options};
use muster_protocol::event::Called;
use muster_protocol::id::{Token, UnixMillis, UserName, random};
use muster_protocol::jwt::{self, Stamp};
use muster_protocol::subject::{Account, Role};
use muster_tests::cluster::{Cluster, PATIENCE, program};
use muster_tests::host::{self, Ran};
use nkeys::KeyPair;
use serde::Deserialize;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout};

const LOOK_EVERY: Duration = Duration::from_millis(200);

#[derive(Deserialize)]
struct Fields {
    role: String,
    jwt: String,
    seed: String,
}

/// A credential's life: how long it has lived, and how long it still will, in seconds.
pub(super) struct Life {
    pub(super) past_secs: i64,
    pub(super) left_secs: i64,
}

pub(super) struct Hands<'a> {
    cluster: &'a Cluster,
    keys: Keys,
    home: PathBuf,
}

pub(super) fn permissions(mode: u32) -> Permissions {
    Permissions::from_mode(mode)
}

pub(super) fn mode(path: &Path) -> Result<u32> {
    Ok(fs::metadata(path)?.permissions().mode() & 0o7777)
}

impl<'a> Hands<'a> {
    pub(super) fn of(cluster: &'a Cluster) -> Result<Hands<'a>> {
        let home = cluster.path("home");
        fs::create_dir_all(&home)?;
        Ok(Hands { cluster, keys: Keys::load(&cluster.path("config"))?, home })
    }

    pub(super) fn home(&self) -> &Path {
        &self.home
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.home.join(format!("{name}.yaml"))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program("muster"));
        command.args(arguments).env_clear().env("PATH", "/usr/bin:/bin").env("HOME", &self.home);
        command.current_dir(&self.home);
        command
    }

    /// Without a context that is named.
    pub(super) async fn own(&self, arguments: &[&str]) -> Result<Ran> {
        host::run(self.command(arguments)).await
    }

    pub(super) async fn admin(&self, arguments: &[&str]) -> Result<Ran> {
        self.with(&self.cluster.path("config/admin.yaml"), arguments).await
    }

    pub(super) async fn person(&self, name: &str, arguments: &[&str]) -> Result<Ran> {
        self.with(&self.file(name), arguments).await
    }

    async fn with(&self, context: &Path, arguments: &[&str]) -> Result<Ran> {
        let mut command = self.command(arguments);
        command.env("MUSTER_CONTEXT", context);
        host::run(command).await
    }

    pub(super) async fn add(&self, name: &str, role: &str) -> Result<()> {
        self.admin(&["user", "add", name, "--role", role]).await?.with_code(0).map(drop)
    }

    /// `init` again, as on the head node.
    pub(super) async fn init(&self) -> Result<()> {
        let mut command = Command::new(program("muster-controller"));
        command.args(["init", "--dir"]).arg(self.cluster.path("config"));
        host::run(command).await?.with_code(0).map(drop)
    }

    /// Whether this machine has a context of its own beside the test's.
    pub(super) fn system_context(&self) -> bool {
        Path::new("/etc/muster/admin.yaml").exists()
    }

    fn fields(&self, name: &str) -> Result<Fields> {
        Ok(serde_saphyr::from_str(&fs::read_to_string(self.file(name))?)?)
    }

    pub(super) fn secrets(&self, name: &str) -> Result<[String; 2]> {
        let Fields { jwt, seed, .. } = self.fields(name)?;
        Ok([jwt, seed])
    }

    /// When a person's credential was issued, and how many seconds it still lives.
    pub(super) fn life(&self, name: &str) -> Result<(i64, i64)> {
        let claims = jwt::decode(&self.fields(name)?.jwt)?;
        let end = claims.exp.context("it does not end")?;
        Ok((claims.iat, end - UnixMillis::now().seconds()))
    }

    /// Gives a person's file a credential of the same key and role, of another age.
    pub(super) fn age(&self, name: &str, life: Life) -> Result<()> {
        let Fields { role, jwt, seed } = self.fields(name)?;
        let role = Role::ALL.into_iter().find(|each| each.name() == role).context("a role")?;
        let now = UnixMillis::now();
        let stamp = Stamp { now: now.plus(-life.past_secs * 1000), ..Stamp::fresh() };
        let (key, end) = (KeyPair::from_seed(&seed)?.public_key(), now.plus(life.left_secs * 1000));
        let aged = self.keys.person_jwt(role, &name.parse()?, &key, Some(end), &stamp)?;
        let text = fs::read_to_string(self.file(name))?;
        ensure!(text.contains(&jwt), "the jwt is not on one line: {text}");
        Ok(fs::write(self.file(name), text.replace(&jwt, &aged))?)
    }

    pub(super) async fn bus(&self, name: &str, role: Role) -> Result<Bus> {
        let Fields { jwt, seed, .. } = self.fields(name)?;
        let credential = Credential::new(Arc::new(KeyPair::from_seed(&seed)?), jwt);
        self.connect(name, role, credential).await
    }

    /// A connection by a credential that was made with the role's key alone.
    pub(super) async fn minted(&self, name: &str, role: Role) -> Result<Bus> {
        let (key, user) = (KeyPair::new_user(), name.parse::<UserName>()?);
        let jwt = self.keys.person_jwt(role, &user, &key.public_key(), None, &Stamp::fresh())?;
        self.connect(name, role, Credential::new(Arc::new(key), jwt)).await
    }

    async fn connect(&self, name: &str, role: Role, credential: Credential) -> Result<Bus> {
        let options = Options {
            role,
            name: name.to_owned(),
            servers: self.cluster.servers()?,
            ca: Some(self.cluster.path("config/ca.pem")),
            credential,
        };
        Ok(Bus::connect(options).await?)
    }

    /// Makes the server wrong: whoever has a credential of a person may call anything in any name.
    /// What is in its files is no push, and nobody mends it.
    pub(super) async fn widen_all(&self) -> Result<()> {
        let stored = self.keys.public_key(Account::People);
        let stored = self.cluster.path("config/accounts").join(format!("{stored}.jwt"));
        let mut claims = claims(&fs::read_to_string(&stored)?)?;
        let scopes = claims["nats"]["signing_keys"].as_array_mut().context("no scopes")?;
        for scope in scopes {
            scope["template"]["pub"]["allow"] = serde_json::json!(["muster.api.>"]);
        }
        // Newer than what the configuration holds.
        claims["iat"] = UnixMillis::now().seconds().into();
        let seed = fs::read_to_string(self.cluster.path("config/operator.nk"))?;
        fs::write(stored, person::sign(&claims, &KeyPair::from_seed(seed.trim())?)?)?;
        let pid = self.cluster.nats_pid()?.to_string();
        let killed = Command::new("kill").args(["-KILL", &pid]).status()?;
        ensure!(killed.success(), "nats-server {pid} runs no more");
        let (mut look, until) = (tokio::time::interval(LOOK_EVERY), Instant::now() + PATIENCE);
        loop {
            look.tick().await;
            match self.state("vera").await {
                Ok(_) => return Ok(()),
                Err(error) => ensure!(Instant::now() < until, "{error:#}"),
            }
        }
    }

    pub(super) async fn state(&self, name: &str) -> Result<UserState> {
        let people = self.cluster.ask(&self.cluster.admin().await?, &UserList {}).await?;
        let found = people.iter().find(|view| view.name.as_str() == name);
        Ok(found.context("no such person")?.state)
    }

    /// What is told of a person's calls of a kind and verb, once it tells of so many.
    pub(super) async fn until_told(
        &self,
        user: &str,
        kind: &str,
        verb: &str,
        count: u64,
    ) -> Result<Vec<Called>> {
        let (admin, until) = (self.cluster.admin().await?, Instant::now() + PATIENCE);
        let filter = format!("muster.event.api.{user}.{kind}");
        let mut look = tokio::time::interval(LOOK_EVERY);
        loop {
            look.tick().await;
            let events = self.cluster.stored_events(&admin, &filter).await?;
            let called = events.iter().map(|(_, event)| event.read::<Called>());
            let called: Option<Vec<Called>> = called.collect();
            let mut called = called.context("an event of a call cannot be read")?;
            called.retain(|called| called.verb == verb);
            if called.iter().map(|called| called.count).sum::<u64>() >= count {
                return Ok(called);
            }
            ensure!(Instant::now() < until, "{filter} is not told: {events:?}");
        }
    }

    /// A tail of events that a person follows.
    pub(super) async fn tail(&self, name: &str) -> Result<Tail> {
        let mut command = self.command(&["events", "--since", "1h"]);
        command.env("MUSTER_CONTEXT", self.file(name));
        let mut command = tokio::process::Command::from(command);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.kill_on_drop(true).spawn()?;
        let stdout = child.stdout.take().context("it is piped")?;
        Ok(Tail { child, lines: BufReader::new(stdout).lines() })
    }
}

/// `muster events`, running.
pub(super) struct Tail {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Tail {
    /// Waits for a line with some words.
    pub(super) async fn until(&mut self, words: &str) -> Result<()> {
        let found = async {
            while let Some(line) = self.lines.next_line().await? {
                if line.contains(words) {
                    return Ok(());
                }
            }
            bail!("the tail has ended before it told {words:?}")
        };
        tokio::time::timeout(PATIENCE, found).await.with_context(|| words.to_owned())?
    }

    /// Waits until it ends.
    pub(super) async fn ended(&mut self) -> Result<Ran> {
        let ended = async {
            let mut stdout = String::new();
            while let Some(line) = self.lines.next_line().await? {
                stdout += &line;
            }
            let mut stderr = String::new();
            let mut pipe = self.child.stderr.take().context("it is piped")?;
            pipe.read_to_string(&mut stderr).await?;
            Ok(Ran { code: self.child.wait().await?.code(), stdout, stderr })
        };
        tokio::time::timeout(PATIENCE, ended).await.context("the tail does not end")?
    }
}

/// All claims of a JWT.
fn claims(jwt: &str) -> Result<serde_json::Value> {
    let body = jwt.split('.').nth(1).context("no JWT")?;
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'-' => Some(62),
        b'_' => Some(63),
        _ => None,
    };
    let digits: Option<Vec<u8>> = body.bytes().map(digit).collect();
    let mut bytes = Vec::new();
    for chunk in digits.context("no base64")?.chunks(4) {
        let at = |index: usize| u32::from(chunk.get(index).copied().unwrap_or_default());
        let bits = at(0) << 18 | at(1) << 12 | at(2) << 6 | at(3);
        bytes.extend(&bits.to_be_bytes()[1..chunk.len()]);
    }
    let mut claims: serde_json::Value = serde_json::from_slice(&bytes)?;
    claims["jti"] = Token::random(random()).as_str().into();
    Ok(claims)
}
