//! What rotations leave in the directory, also if they are killed.

use super::*;
use crate::init;
use crate::keys::files::Directory;
use muster_protocol::jwt::{self, Revocations, Stamp};
use muster_protocol::subject::Account;
use std::collections::BTreeMap;
use std::fs;

const NOW: UnixMillis = UnixMillis(1_800_000_000_000);
const ENDS: Ends = Ends { bootstrap_millis: 10, agent_millis: 1000, controller_millis: 100 };

fn made(temp: &tempfile::TempDir) -> Keys {
    let args = init::Args::new(&temp.path().join("muster"), Some("demo".parse().unwrap()));
    Keys::load(&init::run(&args).unwrap().dir).unwrap()
}

fn files(dir: &Directory) -> BTreeMap<String, String> {
    let entries = fs::read_dir(dir.root()).unwrap().map(Result::unwrap);
    let files = entries.filter(|entry| entry.path().is_file());
    let read = |entry: fs::DirEntry| {
        let text = fs::read_to_string(entry.path()).unwrap();
        (entry.file_name().into_string().unwrap(), text)
    };
    files.map(read).collect()
}

/// How many keys of agents the claims name.
fn claimed(keys: &Keys) -> usize {
    let claims = keys.account_jwt(Account::Agents, &Revocations::new(), &Stamp::fresh()).unwrap();
    assert!(jwt::decode(&claims).is_ok());
    keys.present().claimed.roles[&Role::Agent].len()
}

fn issuer(keys: &Keys) -> String {
    let (agent, key) = ("w-abcdefghijkm".parse().unwrap(), KeyPair::new_user().public_key());
    let credential = keys.agent_jwt(&agent, &key, NOW.plus(1000), &Stamp::fresh()).unwrap();
    jwt::decode(&credential).unwrap().iss
}

/// Guards: a coming key signs nothing before it is used, a replaced one counts until its end.
#[test]
fn a_new_role_key_is_claimed_before_it_signs_and_the_old_one_until_its_end() {
    let temp = tempfile::tempdir().unwrap();
    let keys = made(&temp);
    let (old, mut changes) = (issuer(&keys), keys.changes());
    keys.make_role_keys().unwrap();
    assert_eq!((issuer(&keys), claimed(&keys)), (old.clone(), 2));
    // Again, as after a kill: the same ones.
    let coming = files(&keys.dir)["next-role-agent.nk"].clone();
    keys.make_role_keys().unwrap();
    assert_eq!(files(&keys.dir)["next-role-agent.nk"], coming);
    keys.use_role_keys(NOW, &ENDS).unwrap();
    assert!(!keys.has_coming() && changes.has_changed().unwrap());
    changes.mark_unchanged();
    let new = issuer(&keys);
    assert!(new != old && claimed(&keys) == 2);
    for key in [&old, &new] {
        assert_eq!(keys.role_of(key), Some(Role::Agent));
    }
    assert!(!keys.has_ended(NOW.plus(9)) && keys.has_ended(NOW.plus(10)));
    keys.drop_replaced(NOW.plus(999), false).unwrap();
    assert_eq!(claimed(&keys), 2);
    keys.drop_replaced(NOW.plus(1000), false).unwrap();
    assert_eq!((claimed(&keys), keys.role_of(&old)), (1, None));
    // People's keys do not end by themselves.
    assert_eq!(keys.replaced_at(), Some(NOW));
    keys.drop_replaced(NOW.plus(1000), true).unwrap();
    assert_eq!(keys.replaced_at(), None);
    assert_eq!(Keys::load(keys.dir()).unwrap().serial(), keys.serial());
}

/// Guards: a controller that did not make the change takes it over as it runs.
#[test]
fn another_controller_on_the_same_directory_reads_the_new_keys() {
    let temp = tempfile::tempdir().unwrap();
    let keys = made(&temp);
    let other = Keys::load(keys.dir()).unwrap();
    assert!(!other.reload().unwrap());
    keys.renew_command_key(NOW).unwrap();
    assert!(other.reload().unwrap() && other.serial() == keys.serial());
    let of = |keys: &Keys| keys.signer().certificate().public_key.clone();
    assert_eq!(of(&other), of(&keys));
}

type Rotate = fn(&Keys) -> Result<(), Error>;

const ROTATIONS: [(&str, Rotate); 5] = [
    ("command", |keys| keys.renew_command_key(NOW)),
    ("coming", Keys::make_role_keys),
    ("roles", |keys| keys.use_role_keys(NOW, &ENDS)),
    ("ca", |keys| keys.renew_ca(&"demo".parse().expect("a name"), &[], NOW)),
    ("drop", |keys| keys.drop_replaced(NOW, true)),
];

/// As if it had been killed between any two of its writes. Guards: a rotation writes several files
/// through the journal alone; without it the halves of a pair do not belong together.
#[test]
fn a_rotation_that_is_killed_anywhere_leaves_keys_that_load() {
    let temp = tempfile::tempdir().unwrap();
    let keys = made(&temp);
    for (what, rotate) in ROTATIONS {
        let before = files(&keys.dir);
        rotate(&keys).unwrap();
        let after = files(&keys.dir);
        let mut change = Change::default();
        for file in
            before.keys().chain(after.keys()).filter(|file| before.get(*file) != after.get(*file))
        {
            match after.get(file) {
                Some(text) => change.write(file, text),
                None => change.remove(file),
            }
        }
        let journal = serde_json::to_string(&change).unwrap();
        let touched: Vec<&String> =
            after.keys().chain(before.keys()).filter(|f| before.get(*f) != after.get(*f)).collect();
        for written in 0..=touched.len() {
            let again = tempfile::tempdir().unwrap();
            let dir = Directory::make(&again.path().join("muster")).unwrap();
            for (file, text) in &before {
                dir.write(file, text).unwrap();
            }
            dir.write("change.json", &journal).unwrap();
            for file in &touched[..written] {
                match after.get(*file) {
                    Some(text) => dir.write(file, text).unwrap(),
                    None => dir.remove(file).unwrap(),
                }
            }
            let loaded = Keys::load(dir.root());
            assert!(loaded.is_ok(), "{what} after {written}: {loaded:?}");
            assert_eq!(loaded.unwrap().serial(), keys.serial(), "{what} after {written}");
            assert_eq!(files(&dir), after, "{what} after {written}");
            // And `init` finds nothing to make or to complain of.
            let report = init::run(&init::Args::new(dir.root(), None)).unwrap();
            assert!(report.made.is_empty(), "{what}: {:?}", report.made);
        }
    }
}

#[test]
fn keys_that_are_kept_elsewhere_are_asked_for_by_name() {
    let temp = tempfile::tempdir().unwrap();
    let keys = made(&temp);
    fs::remove_file(keys.dir.path("root.nk")).unwrap();
    fs::remove_file(keys.dir.path("ca.key")).unwrap();
    let before = files(&keys.dir);
    let command = keys.renew_command_key(NOW).unwrap_err().to_string();
    let ca = keys.renew_ca(&"demo".parse().unwrap(), &[], NOW).unwrap_err().to_string();
    assert!(command.contains("put the root key back"), "{command}");
    assert!(ca.contains("ca.key: put it back"), "{ca}");
    assert_eq!(files(&keys.dir), before);
}
