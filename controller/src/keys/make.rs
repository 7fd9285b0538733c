//! Makes the keys that are missing; never replaces one that others depend on.

use super::files::Directory;
use super::{Error, Public, Seed, read_curve, read_pair, read_seed};
use muster_protocol::id::UnixMillis;
use muster_protocol::seal::Certificate;
use nkeys::{KeyPair, XKey};

/// The command key: replaced by every rotation.
pub(crate) const COMMAND_KEY: &str = "command.nk";
/// The root's word for the command key, as JSON.
pub(crate) const COMMAND_CERT: &str = "command.cert";
/// How long a command key is valid.
pub(crate) const COMMAND_KEY_DAYS: i64 = 90;
const DAY_MS: i64 = 86_400_000;
/// The controller may be set back that far, or a second one be behind: agents judge by its clock.
const BEGIN_EARLIER_MS: i64 = 2 * DAY_MS;

/// Makes each missing key and names the files it wrote. `public.yaml` is written last: before it
/// exists nothing depends on any key, and after it a lost key is not silently replaced.
pub(crate) fn missing(dir: &Directory, now: UnixMillis) -> Result<Vec<String>, Error> {
    let recorded = Public::read(dir)?;
    let (mut public, mut made) = (Public::default(), Vec::new());
    for seed in Seed::all() {
        let known = recorded.as_ref().and_then(|all| all.0.get(&seed.name()).cloned());
        let public_key = match (public_of(dir, seed)?, known) {
            (Some(found), Some(known)) if found != known => {
                return Err(Error::Mismatch { file: seed.file(), with: Public::FILE });
            }
            (Some(found), _) => found,
            // The root key is meant to be taken away.
            (None, Some(known)) if seed == Seed::Root => known,
            (None, Some(_)) => return Err(Error::Lost { file: seed.file() }),
            (None, None) => {
                made.push(seed.file());
                generate(dir, seed)?
            }
        };
        public.0.insert(seed.name(), public_key);
    }
    if recorded.as_ref() != Some(&public) {
        dir.write(Public::FILE, &public.text())?;
        made.push(Public::FILE.into());
    }
    made.extend(command_key(dir, now)?);
    Ok(made)
}

fn public_of(dir: &Directory, seed: Seed) -> Result<Option<String>, Error> {
    match seed {
        Seed::Curve => Ok(read_curve(dir)?.map(|key| key.public_key())),
        Seed::Operator | Seed::Root | Seed::Account(_) | Seed::Role(_) => {
            Ok(read_pair(dir, seed)?.map(|pair| pair.public_key()))
        }
    }
}

fn generate(dir: &Directory, seed: Seed) -> Result<String, Error> {
    let no_seed = |source| Error::Seed { path: dir.path(&seed.file()), source };
    let pair = match seed {
        Seed::Curve => {
            let key = XKey::new();
            write_seed(dir, &seed.file(), &key.seed().map_err(no_seed)?)?;
            return Ok(key.public_key());
        }
        Seed::Operator | Seed::Root => KeyPair::new_operator(),
        Seed::Account(_) | Seed::Role(_) => KeyPair::new_account(),
    };
    write_seed(dir, &seed.file(), &pair.seed().map_err(no_seed)?)?;
    Ok(pair.public_key())
}

/// The command key with its certificate: whichever half is missing is made, by the root key.
fn command_key(dir: &Directory, now: UnixMillis) -> Result<Vec<String>, Error> {
    let key = read_seed(dir, COMMAND_KEY)?;
    let certificate = read_certificate(dir)?;
    match (key, certificate) {
        (Some(key), Some(certificate)) if key.public_key() == certificate.public_key => Ok(vec![]),
        (Some(key), _) => {
            let root = root(dir, COMMAND_CERT)?;
            dir.write(COMMAND_CERT, &certified(&root, &key, now)?)?;
            Ok(vec![COMMAND_CERT.into()])
        }
        (None, _) => {
            let root = root(dir, COMMAND_KEY)?;
            let key = KeyPair::new_service();
            dir.write(COMMAND_KEY, &seed_text(dir, COMMAND_KEY, &key)?)?;
            dir.write(COMMAND_CERT, &certified(&root, &key, now)?)?;
            Ok(vec![COMMAND_KEY.into(), COMMAND_CERT.into()])
        }
    }
}

pub(super) fn root(dir: &Directory, file: &'static str) -> Result<KeyPair, Error> {
    read_pair(dir, Seed::Root)?.ok_or(Error::Offline { file })
}

/// The text of the root's word for a command key.
pub(super) fn certified(root: &KeyPair, key: &KeyPair, now: UnixMillis) -> Result<String, Error> {
    let (from, until) = (now.plus(-BEGIN_EARLIER_MS), now.plus(COMMAND_KEY_DAYS * DAY_MS));
    let certificate = Certificate::sign(root, key.public_key(), from, until)?;
    Ok(serde_json::to_string(&certificate).expect("a certificate is JSON") + "\n")
}

/// The text of a file that holds a key.
pub(super) fn seed_text(dir: &Directory, file: &str, key: &KeyPair) -> Result<String, Error> {
    let no_seed = |source| Error::Seed { path: dir.path(file), source };
    Ok(key.seed().map_err(no_seed)? + "\n")
}

pub(crate) fn read_certificate(dir: &Directory) -> Result<Option<Certificate>, Error> {
    let Some(text) = dir.read(COMMAND_CERT)? else { return Ok(None) };
    let read = serde_json::from_str(&text);
    read.map(Some).map_err(|source| Error::damaged(dir.path(COMMAND_CERT), source))
}

fn write_seed(dir: &Directory, file: &str, seed: &str) -> Result<(), Error> {
    dir.write(file, &format!("{seed}\n"))
}
