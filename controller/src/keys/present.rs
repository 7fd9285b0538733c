//! What rotations change, as the files of a directory say it at one moment.

use super::change;
use super::files::Directory;
use super::record::{Record, role_name};
use super::{Error, Public, Seed, check_public, make, read_pair, read_seed, tls};
use muster_protocol::jwt::PublicKeys;
use muster_protocol::seal::Signer;
use muster_protocol::subject::{Account, Role};
use nkeys::KeyPair;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The file of a role's key that the servers may not know yet.
pub(crate) fn coming_file(role: Role) -> String {
    format!("next-{}.nk", role_name(role))
}

/// The keys that sign now.
pub(crate) struct Present {
    pub(crate) record: Record,
    pub(crate) public: Public,
    pub(crate) roles: HashMap<Role, KeyPair>,
    /// Made, and not used before the servers know them.
    pub(crate) coming: BTreeMap<Role, KeyPair>,
    /// What the accounts' claims say: for each role the present, the coming and the replaced keys.
    pub(crate) claimed: PublicKeys,
    pub(crate) signer: Arc<Signer>,
    pub(crate) ca_pem: String,
}

impl Present {
    /// Reads all files at one moment; a change that was begun is ended first.
    pub(crate) fn read(dir: &Directory) -> Result<Present, Error> {
        let _still = change::still(dir)?;
        let public = Public::require(dir)?;
        let record = Record::read(dir)?;
        let (mut roles, mut coming) = (HashMap::new(), BTreeMap::new());
        for role in Role::ALL {
            let seed = Seed::Role(role);
            let pair = read_pair(dir, seed)?.ok_or_else(|| Error::Missing { file: seed.file() })?;
            check_public(&public, seed, &pair.public_key())?;
            roles.insert(role, pair);
            if let Some(pair) = read_seed(dir, &coming_file(role))? {
                coming.insert(role, pair);
            }
        }
        let claimed = claimed(&public, &record, &coming)?;
        let signer = Arc::new(signer(dir)?);
        let ca_pem = dir.require(tls::CA_CERTIFICATE)?;
        Ok(Present { record, public, roles, coming, claimed, signer, ca_pem })
    }

    /// The role whose key, present or replaced, has this public half.
    pub(crate) fn role_of(&self, public_key: &str) -> Option<Role> {
        let known = |role: &Role| self.claimed.roles[role].iter().any(|key| key == public_key);
        Role::ALL.into_iter().find(known)
    }
}

fn claimed(
    public: &Public,
    record: &Record,
    coming: &BTreeMap<Role, KeyPair>,
) -> Result<PublicKeys, Error> {
    let mut keys = PublicKeys { accounts: HashMap::new(), roles: BTreeMap::new() };
    for account in Account::ALL {
        keys.accounts.insert(account, public.key(Seed::Account(account))?.to_owned());
    }
    for role in Role::ALL {
        let mut all = vec![public.key(Seed::Role(role))?.to_owned()];
        all.extend(coming.get(&role).map(KeyPair::public_key));
        all.extend(record.of_role(role).map(|replaced| replaced.public.clone()));
        // The claims are the same whichever of them signs.
        all.sort_unstable();
        keys.roles.insert(role, all);
    }
    Ok(keys)
}

fn signer(dir: &Directory) -> Result<Signer, Error> {
    let missing = |file: &str| Error::Missing { file: file.into() };
    let key = read_seed(dir, make::COMMAND_KEY)?.ok_or_else(|| missing(make::COMMAND_KEY))?;
    let certificate = make::read_certificate(dir)?.ok_or_else(|| missing(make::COMMAND_CERT))?;
    if certificate.public_key != key.public_key() {
        return Err(Error::Mismatch { file: make::COMMAND_KEY.into(), with: make::COMMAND_CERT });
    }
    Ok(Signer::new(key, certificate))
}
