//! A person's context: the one file that the command `muster` needs to reach the cluster.

use super::{Error, Settings};
use crate::keys::files::Directory;
use crate::keys::{self, Keys, tls};
use muster_protocol::api::CREDENTIAL_DAYS;
use muster_protocol::id::{ClusterName, UnixMillis, UserName};
use muster_protocol::jwt::{self, Stamp};
use muster_protocol::subject::Role;
use muster_protocol::yaml::{self, Words};
use nkeys::KeyPair;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::Path;

const DAY_MILLIS: i64 = 86_400_000;
const HEAD: &str =
    "# How the command `muster` reaches the cluster. It holds a secret: keep it 0600.\n";

/// How a person reaches the cluster.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Context {
    /// The cluster's name.
    pub cluster: ClusterName,
    /// `tls://host:port`, one or more; none until a free port was chosen at the first start.
    pub servers: Vec<String>,
    /// The CA's certificate, beside this file if the path is relative.
    pub ca: String,
    /// The person's name.
    pub user: UserName,
    /// Viewer, operator or admin: for display; what the person may do is in the credential.
    pub role: String,
    /// The credential.
    pub jwt: String,
    /// The key's secret half.
    pub seed: String,
}

impl fmt::Debug for Context {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "Context({} as {} of {})", self.cluster, self.user, self.role)
    }
}

pub(super) fn file(user: &UserName) -> String {
    format!("{user}.yaml")
}

/// Whether the first person has no context, or one whose credential has ended. What cannot be read
/// is somebody's own, and stays.
pub(super) fn is_wanted(dir: &Directory, file: &str, now: UnixMillis) -> Result<bool, Error> {
    let Some(text) = dir.read(file)? else { return Ok(true) };
    let context = serde_saphyr::from_str::<Context>(&text).ok();
    let claims = context.and_then(|context| jwt::decode(&context.jwt).ok());
    Ok(claims.and_then(|claims| claims.exp).is_some_and(|end| end <= now.seconds()))
}

/// The first person's context. The credential ends like everybody's: this file is copied to where
/// the person works, and a copy that nobody uses any more should be worth nothing. The command
/// `muster` renews it in time.
pub(super) fn first(settings: &Settings, keys: &Keys, now: UnixMillis) -> Result<String, Error> {
    let (key, role, user) = (KeyPair::new_user(), Role::Admin, &settings.user);
    let expires = Some(now.plus(i64::from(CREDENTIAL_DAYS) * DAY_MILLIS));
    let stamp = Stamp { now, ..Stamp::fresh() };
    let jwt = keys.person_jwt(role, user, &key.public_key(), expires, &stamp)?;
    let port = settings.listen.port();
    let seed = key.seed().expect("a new key has a seed");
    Ok(text(&Context {
        cluster: settings.cluster.clone(),
        servers: if port == 0 { vec![] } else { settings.servers(port) },
        ca: tls::CA_CERTIFICATE.into(),
        user: settings.user.clone(),
        role: role.name().into(),
        jwt,
        seed,
    }))
}

/// Writes the servers into the first person's context, once a free port was chosen.
pub(crate) fn set_servers(dir: &Path, settings: &Settings, port: u16) -> Result<(), keys::Error> {
    let (dir, file) = (Directory::open(dir)?, file(&settings.user));
    let Some(before) = dir.read(&file)? else { return Ok(()) };
    // It holds a seed, which no error may show.
    let mut context: Context = yaml::parse(&before, &dir.path(&file), Words::Hidden)?;
    let servers = settings.servers(port);
    if context.servers == servers {
        return Ok(());
    }
    context.servers = servers;
    dir.write(&file, &text(&context))
}

fn text(context: &Context) -> String {
    HEAD.to_owned() + &serde_saphyr::to_string(context).expect("a context is YAML")
}
