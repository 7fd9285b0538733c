//! Whom the documents let in, and what of them is believed.

use super::person::example;
use super::*;
use crate::documents::Memory;
use crate::init::{self, Args};
use muster_protocol::api::CREDENTIAL_DAYS;
use muster_protocol::jwt::Stamp;
use muster_protocol::subject::Role;
use nkeys::KeyPair;
use std::path::PathBuf;
use tempfile::TempDir;

const NOW: UnixMillis = UnixMillis(2_000);

struct Site {
    dir: TempDir,
    documents: Memory,
    keys: Arc<Keys>,
    people: People,
}

fn args(dir: &TempDir) -> Args {
    Args::new(&dir.path().join("muster"), Some("demo".parse().unwrap()))
}

async fn site() -> Site {
    let dir = tempfile::tempdir().unwrap();
    let report = init::run(&args(&dir)).unwrap();
    let keys = Arc::new(Keys::load(&report.dir).unwrap());
    let documents = Memory::default();
    let people = People::open(Arc::new(documents.clone()), Arc::clone(&keys)).await.unwrap();
    Site { dir, documents, keys, people }
}

impl Site {
    fn context(&self) -> PathBuf {
        self.dir.path().join("muster/admin.yaml")
    }

    fn caller(&self, role: Role, name: &str, key: &str) -> Caller {
        let issuer =
            std::fs::read_to_string(self.keys.dir().join(format!("role-{}.nk", role.name())));
        Caller {
            account: self.keys.public_key(Account::People).to_owned(),
            key: key.to_owned(),
            name: name.to_owned(),
            host: "10.0.0.1".to_owned(),
            issuer: KeyPair::from_seed(issuer.unwrap().trim()).unwrap().public_key(),
        }
    }

    async fn add(&self, person: Person) {
        let added = self.people.change(&person.name.clone(), |_| Ok::<_, ()>(person.clone())).await;
        added.unwrap().unwrap();
    }

    async fn open(&self) -> People {
        People::open(Arc::new(self.documents.clone()), Arc::clone(&self.keys)).await.unwrap()
    }
}

fn first(site: &Site) -> First {
    First::read(&site.keys).unwrap()
}

/// Guards: each check of [`People::admit`].
#[tokio::test]
async fn who_calls_must_be_the_person_of_a_document_in_name_key_role_and_time() {
    let site = site().await;
    let vera = example("vera", PersonRole::Viewer, "UVERA");
    site.add(vera.clone()).await;
    let admit =
        async |role, name, key, now| site.people.admit(&site.caller(role, name, key), now).await;
    assert!(admit(Role::Viewer, "vera", "UVERA", NOW).await.is_ok());
    let denied = admit(Role::Viewer, "vera", "UTHIEF", NOW).await.unwrap_err();
    assert!(matches!(denied, Denied::Unknown(_)), "{denied}");
    assert!(denied.to_string().contains("muster user add"), "{denied}");
    let denied = admit(Role::Admin, "vera", "UVERA", NOW).await.unwrap_err();
    assert!(matches!(denied, Denied::Other(_)), "a key of another role: {denied}");
    for role in [Role::Agent, Role::Controller] {
        let denied = admit(role, "vera", "UVERA", NOW).await.unwrap_err();
        assert!(matches!(denied, Denied::Other(_)), "{role:?}: {denied}");
    }
    for name in ["eve", "*", "", "Vera"] {
        assert!(admit(Role::Admin, name, "UVERA", NOW).await.is_err(), "{name}");
    }
    let denied = admit(Role::Viewer, "vera", "UVERA", UnixMillis(100_000)).await.unwrap_err();
    assert!(matches!(denied, Denied::Expired(_)), "{denied}");
    let elsewhere = Caller {
        account: site.keys.public_key(Account::Agents).to_owned(),
        ..site.caller(Role::Viewer, "vera", "UVERA")
    };
    assert!(site.people.admit(&elsewhere, NOW).await.is_err(), "another account");
    let no_issuer = Caller { issuer: String::new(), ..site.caller(Role::Viewer, "vera", "UVERA") };
    assert!(site.people.admit(&no_issuer, NOW).await.is_err(), "nobody says who signed it");
    site.add(vera.revoke("anna", NOW)).await;
    let denied = admit(Role::Viewer, "vera", "UVERA", NOW).await.unwrap_err();
    assert!(matches!(denied, Denied::Revoked(_)), "{denied}");
}

/// Guards: `signed.open` with the name's own audience in [`People::read`].
#[tokio::test]
async fn a_document_that_the_controller_has_not_signed_for_this_name_gives_no_right() {
    let site = site().await;
    site.add(example("anna", PersonRole::Admin, "UANNA")).await;
    site.add(example("vera", PersonRole::Viewer, "UVERA")).await;
    let as_admin = example("vera", PersonRole::Admin, "UVERA");
    let annas = Documents::get(&site.documents, "anna").await.unwrap().unwrap().value;
    let strange = {
        let (root, key) = (KeyPair::new_operator(), KeyPair::new_service());
        let until = UnixMillis(i64::MAX);
        let certificate =
            seal::Certificate::sign(&root, key.public_key(), UnixMillis(0), until).unwrap();
        let signer = seal::Signer::new(key, certificate);
        wire::encode(&signer.sign(&audience("vera"), &as_admin).unwrap())
    };
    for forged in [wire::encode(&as_admin), annas, strange, b"junk".to_vec(), vec![]] {
        Documents::put(&site.documents, "vera", forged).await.unwrap();
        let entry = Documents::get(&site.documents, "vera").await.unwrap().unwrap();
        site.people.take(&entry);
        let viewer = site.caller(Role::Viewer, "vera", "UVERA");
        let known = site.people.admit(&viewer, NOW).await.unwrap();
        assert_eq!(known.role, PersonRole::Viewer, "what was known before still holds");
        // Whoever starts now knows nobody of that name.
        let started = site.open().await;
        for role in [Role::Viewer, Role::Admin] {
            assert!(started.admit(&site.caller(role, "vera", "UVERA"), NOW).await.is_err());
        }
        let anna = site.caller(Role::Admin, "anna", "UANNA");
        assert!(started.admit(&anna, NOW).await.is_ok(), "the others are not harmed");
    }
}

#[tokio::test]
async fn the_first_person_is_known_and_a_new_one_of_init_takes_the_place() {
    let site = site().await;
    let (before, now) = (first(&site), UnixMillis::now());
    let person = site.people.person(&before.name).unwrap();
    assert_eq!((person.role, person.added_by.as_str()), (PersonRole::Admin, "init"));
    assert_eq!(person.days, CREDENTIAL_DAYS);
    let old = site.caller(Role::Admin, "admin", &before.public_key);
    assert!(site.people.admit(&old, now).await.is_ok());
    // Revoked, it stays revoked for whoever starts later, though its file is there.
    site.add(person.revoke("anna", now)).await;
    assert!(matches!(site.open().await.admit(&old, now).await, Err(Denied::Revoked(_))));
    // NATS counts in seconds.
    std::fs::remove_file(site.context()).unwrap();
    let later = Stamp { now: now.plus(2_000), ..Stamp::fresh() };
    let key = KeyPair::new_user().public_key();
    let jwt = site.keys.person_jwt(Role::Admin, &before.name, &key, None, &later).unwrap();
    init::run(&args(&site.dir)).unwrap();
    let text = std::fs::read_to_string(site.context()).unwrap();
    let context: init::Context = serde_saphyr::from_str(&text).unwrap();
    let text = text.replace(&context.jwt, &jwt);
    crate::keys::files::Directory::open(site.keys.dir())
        .unwrap()
        .write("admin.yaml", &text)
        .unwrap();
    let new = site.caller(Role::Admin, "admin", &key);
    assert!(site.people.admit(&new, later.now).await.is_ok());
    assert!(site.people.admit(&old, later.now).await.is_err(), "one life at a time");
    let void = site.people.person(&before.name).unwrap().void(later.now);
    assert_eq!(void.keys().collect::<Vec<_>>(), [&before.public_key]);
}

/// Guards: `jwt::decode` and the role's key in [`First::of`].
#[tokio::test]
async fn a_first_person_of_other_keys_is_nobody() {
    let (site, other) = (site().await, site().await);
    let text = std::fs::read_to_string(other.context()).unwrap();
    let dir = crate::keys::files::Directory::open(site.keys.dir()).unwrap();
    dir.write("admin.yaml", &text).unwrap();
    assert_eq!(First::read(&site.keys), None);
    dir.write("admin.yaml", "cluster: [").unwrap();
    assert_eq!(First::read(&site.keys), None);
    std::fs::remove_file(site.context()).unwrap();
    assert_eq!(First::read(&site.keys), None);
}

/// Guards: the compare-and-set of [`People::change`].
#[tokio::test]
async fn two_controllers_that_add_the_same_name_agree_on_one() {
    let site = site().await;
    let (other, name) = (site.open().await, "vera".parse().unwrap());
    let add = |people, key| {
        let person = example("vera", PersonRole::Viewer, key);
        async move {
            let (people, name): (&People, _) = (people, person.name.clone());
            let added = people.change(&name, |before| match before {
                None => Ok(person.clone()),
                Some(_) => Err("taken"),
            });
            added.await.unwrap()
        }
    };
    let (one, two) = tokio::join!(add(&site.people, "UONE"), add(&other, "UTWO"));
    assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
    let key = one.or(two).unwrap().public_key;
    assert_eq!(site.open().await.person(&name).unwrap().public_key, key);
    // The one that did not add her finds her.
    for people in [&site.people, &other] {
        assert!(people.admit(&site.caller(Role::Viewer, "vera", &key), NOW).await.is_ok());
    }
}
