//! One cluster's keys with a running nats-server, in a temporary directory.

use super::person::Person;
use anyhow::{Context, Result, ensure};
use muster_controller::init::{self, Args};
use muster_controller::keys::Keys;
use muster_controller::nats::{Options, Server};
use muster_protocol::id::UnixMillis;
use muster_protocol::jwt::{Revocations, Stamp};
use muster_protocol::subject::{Account, Role};
use nkeys::KeyPair;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

pub(super) const A: &str = "compute-0007-abcdefghijkm";
pub(super) const B: &str = "compute-0008-abcdefghijkm";
const HOUR_MS: i64 = 3_600_000;

pub(super) fn name_of(role: Role) -> &'static str {
    match role {
        Role::Bootstrap | Role::Agent => A,
        Role::Viewer => "vera",
        Role::Operator => "otto",
        Role::Admin => "anna",
        Role::Controller => "controller",
    }
}

pub(super) struct Site {
    pub(super) keys: Keys,
    server: Option<Server>,
    options: Options,
    _dir: TempDir,
}

/// A test that failed leaves no server either.
impl Drop for Site {
    fn drop(&mut self) {
        let Some(server) = &self.server else { return };
        let killed = std::process::Command::new("kill").arg(server.pid().to_string()).status();
        killed.expect("kill(1) is there");
    }
}

/// What the environment names, else what `make tools` has fetched.
fn program(variable: &str, file: &str) -> PathBuf {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools");
    std::env::var_os(variable).map_or_else(|| tools.join(file), PathBuf::from)
}

impl Site {
    /// On the oldest server that is accepted, and on the newest.
    pub(super) async fn all() -> Result<Vec<Site>> {
        let oldest = program("MUSTER_NATS_SERVER_211", "nats-server-2.11");
        Ok(vec![Site::start(oldest).await?, Site::newest().await?])
    }

    pub(super) async fn newest() -> Result<Site> {
        Site::start(program("MUSTER_NATS_SERVER", "nats-server")).await
    }

    async fn start(program: PathBuf) -> Result<Site> {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("muster");
        let mut args = Args::new(&path, Some("demo".parse()?));
        args.listen = Some("127.0.0.1:0".parse()?);
        init::run(&args)?;
        let mut options = Options::new(&path);
        options.program = Some(program);
        let server = Some(Server::start(&options).await?);
        Ok(Site { keys: Keys::load(&path)?, server, options, _dir: dir })
    }

    /// Ends the server and starts it again, with a configuration made anew if it was lost.
    pub(super) async fn restart(&mut self, config_is_lost: bool) -> Result<()> {
        if let Some(server) = self.server.take() {
            server.stop().await?;
        }
        if config_is_lost {
            std::fs::remove_file(self.options.dir.join("nats.conf"))?;
            init::run(&Args::new(&self.options.dir, None))?;
        }
        self.server = Some(Server::start(&self.options).await?);
        Ok(())
    }

    pub(super) async fn close(mut self) -> Result<()> {
        match self.server.take() {
            Some(server) => Ok(server.stop().await?),
            None => Ok(()),
        }
    }

    pub(super) fn url(&self) -> String {
        self.server.as_ref().map(Server::url).unwrap_or_default()
    }

    pub(super) fn jwt(&self, role: Role, name: &str, public_key: &str) -> Result<String> {
        let (stamp, expires) = (Stamp::fresh(), UnixMillis::now().plus(HOUR_MS));
        Ok(match role {
            Role::Bootstrap => {
                self.keys.bootstrap_jwt(&name.parse()?, public_key, expires, &stamp)?
            }
            Role::Agent => self.keys.agent_jwt(&name.parse()?, public_key, expires, &stamp)?,
            Role::Viewer | Role::Operator | Role::Admin => {
                self.keys.person_jwt(role, &name.parse()?, public_key, None, &stamp)?
            }
            Role::Controller => self.keys.controller_jwt(&name.parse()?, public_key, &stamp)?,
        })
    }

    /// A JWT signed by the role's own key that grants itself everything.
    pub(super) fn widened(&self, role: Role, name: &str, public_key: &str) -> Result<String> {
        let file = self.keys.dir().join(format!("role-{}.nk", role.name()));
        let signer = KeyPair::from_seed(std::fs::read_to_string(file)?.trim())?;
        let account = self.keys.public_key(role.account());
        let everything = serde_json::json!({"allow": [">"]});
        let claims = serde_json::json!({
            "jti": "wide", "iat": UnixMillis::now().seconds(), "iss": signer.public_key(),
            "name": name, "sub": public_key,
            "nats": {"pub": everything, "sub": everything, "subs": -1, "data": -1, "payload": -1,
                "issuer_account": account, "type": "user", "version": 2}
        });
        super::person::sign(&claims, &signer)
    }

    pub(super) async fn connect(
        &self,
        role: Role,
        name: &str,
        key: &KeyPair,
        jwt: String,
    ) -> Result<Person> {
        Person::connect(&self.url(), &self.keys.tls_files().ca, role, name, key, jwt).await
    }

    pub(super) async fn person(&self, role: Role, name: &str) -> Result<Person> {
        let key = KeyPair::new_user();
        let jwt = self.jwt(role, name, &key.public_key())?;
        self.connect(role, name, &key, jwt).await
    }

    /// Pushes AGENTS' claims with these revocations, as the holder of the lease does.
    pub(super) async fn push(&self, revocations: &Revocations) -> Result<()> {
        let key = KeyPair::new_user();
        let jwt = self.keys.pusher_jwt(&key.public_key(), &Stamp::fresh())?;
        let pusher = self.connect(Role::Controller, "pusher", &key, jwt).await?;
        let claims = self.keys.account_jwt(Account::Agents, revocations, &Stamp::fresh())?;
        let answer = pusher.nats.request("$SYS.REQ.CLAIMS.UPDATE", claims.into()).await?;
        let answer: serde_json::Value = serde_json::from_slice(&answer.payload)?;
        ensure!(answer["data"]["code"] == 200, "the push was answered {answer}");
        answer["data"]["account"].as_str().context("no account in the answer")?;
        Ok(())
    }
}
