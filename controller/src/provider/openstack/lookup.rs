//! From what operators call things to the cloud's ids, remembered for a while.
//!
//! Only what one asks for by a name that may come to mean something else is remembered, and it is
//! forgotten as soon as the cloud says that it is not there. The crate's own lookups are not used:
//! one image in a state that they have no word for (`importing`) fails them all.

use super::session::{Call, Service, Session};
use crate::provider::{Error, ErrorKind};
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// The most entries of one listing that are looked at.
const PAGE: &str = "1000";
/// The most ids that are remembered.
const REMEMBERED_MAX: usize = 1000;
/// An image chosen by a tag: `tag:NAME`.
const TAG: &str = "tag:";
/// An image chosen by a property: `property:NAME=VALUE`.
const PROPERTY: &str = "property:";

/// What is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Flavor,
    Image,
    Network,
    Port,
    ServerGroup,
}

impl Kind {
    fn noun(self) -> &'static str {
        match self {
            Kind::Flavor => "flavor",
            Kind::Image => "image",
            Kind::Network => "network",
            Kind::Port => "port",
            Kind::ServerGroup => "server group",
        }
    }
}

/// Ids that are known, and since when.
#[derive(Debug)]
pub(super) struct Lookup {
    lifetime: Duration,
    known: Mutex<HashMap<(Kind, String), (Instant, String)>>,
}

/// Anything with an id and a name, as all services list it.
#[derive(Debug, Deserialize)]
struct Thing {
    id: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    status: Option<String>,
}

/// A listing: `{"flavors": […]}`, with links that have no use here.
#[derive(Debug, Deserialize)]
struct Listing {
    #[serde(alias = "flavors", alias = "images", alias = "networks", alias = "ports")]
    #[serde(alias = "server_groups")]
    things: Vec<Thing>,
}

impl Lookup {
    pub(super) fn new(lifetime: Duration) -> Lookup {
        Lookup { lifetime, known: Mutex::default() }
    }

    /// The id of what an operator calls so.
    pub(super) async fn id(
        &self,
        session: &Session,
        kind: Kind,
        wanted: &str,
        doing: &str,
    ) -> Result<String, Error> {
        let key = (kind, wanted.to_owned());
        if let Some((since, id)) = self.lock().get(&key)
            && since.elapsed() < self.lifetime
        {
            return Ok(id.clone());
        }
        let id = find(session, kind, wanted, doing).await?;
        let mut known = self.lock();
        if known.len() >= REMEMBERED_MAX {
            known.clear();
        }
        known.insert(key, (Instant::now(), id.clone()));
        Ok(id)
    }

    /// Forgets all ids: one of them was wrong.
    pub(super) fn forget(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(Kind, String), (Instant, String)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn find(session: &Session, kind: Kind, wanted: &str, doing: &str) -> Result<String, Error> {
    let found = match kind {
        Kind::Flavor => {
            let listed = list(session, Service::Compute, &["flavors"], &[], doing).await?;
            named(listed, wanted)
        }
        Kind::ServerGroup => {
            let listed = list(session, Service::Compute, &["os-server-groups"], &[], doing).await?;
            named(listed, wanted)
        }
        Kind::Network => of_neutron(session, "networks", wanted, doing).await?,
        Kind::Port => of_neutron(session, "ports", wanted, doing).await?,
        Kind::Image => images(session, wanted, doing).await?,
    };
    one(kind, wanted, found, doing)
}

/// Those of an id, or else of a name.
fn named(listed: Vec<Thing>, wanted: &str) -> Vec<Thing> {
    let (by_id, others): (Vec<Thing>, Vec<Thing>) =
        listed.into_iter().partition(|thing| thing.id == wanted);
    if !by_id.is_empty() {
        return by_id;
    }
    others.into_iter().filter(|thing| thing.name.as_deref() == Some(wanted)).collect()
}

async fn of_neutron(
    session: &Session,
    collection: &str,
    wanted: &str,
    doing: &str,
) -> Result<Vec<Thing>, Error> {
    for key in ["name", "id"] {
        let query = [(key, wanted), ("fields", "id"), ("fields", "name")];
        let found = list(session, Service::Network, &[collection], &query, doing).await?;
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Ok(Vec::new())
}

/// The images that are meant: at most one by a tag or property, the newest.
async fn images(session: &Session, wanted: &str, doing: &str) -> Result<Vec<Thing>, Error> {
    if is_uuid(wanted) {
        return image_of_id(session, wanted, doing).await;
    }
    let mut query = vec![("status", "active"), ("sort", "created_at:desc")];
    let newest = if let Some(tag) = wanted.strip_prefix(TAG) {
        query.extend([("tag", tag), ("limit", "1")]);
        true
    } else if let Some(property) = wanted.strip_prefix(PROPERTY) {
        let (name, value) = property.split_once('=').ok_or_else(|| {
            let text = format!("{doing}: the image {wanted:?}; write property:NAME=VALUE");
            Error::new(ErrorKind::Invalid, text)
        })?;
        query.extend([(name, value), ("limit", "1")]);
        true
    } else {
        query.extend([("name", wanted), ("limit", PAGE)]);
        false
    };
    let mut found = list(session, Service::Image, &["images"], &query, doing).await?;
    if newest {
        found.truncate(1);
    }
    Ok(found)
}

async fn image_of_id(session: &Session, id: &str, doing: &str) -> Result<Vec<Thing>, Error> {
    let path = ["images", id];
    let answer = session.call(&Call::get(doing, Service::Image, &path)).await?;
    if answer.status == 404 {
        return Ok(Vec::new());
    }
    let image: Thing = answer.json(doing)?;
    match image.status.as_deref() {
        Some("active") => Ok(vec![image]),
        status => {
            let status = status.unwrap_or("unknown");
            let text = format!("{doing}: the image {id} is {status}; name one that is active");
            Err(Error::new(ErrorKind::Gone, text))
        }
    }
}

async fn list(
    session: &Session,
    service: Service,
    path: &[&str],
    query: &[(&str, &str)],
    doing: &str,
) -> Result<Vec<Thing>, Error> {
    let call = Call { query, ..Call::get(doing, service, path) };
    let listing: Listing = session.call(&call).await?.json(doing)?;
    Ok(listing.things)
}

fn one(kind: Kind, wanted: &str, found: Vec<Thing>, doing: &str) -> Result<String, Error> {
    let noun = kind.noun();
    let mut ids: Vec<String> = found.into_iter().map(|thing| thing.id).collect();
    match (ids.pop(), ids.len()) {
        (Some(id), 0) => Ok(id),
        (Some(_), others) => {
            let text = format!(
                "{doing}: the cloud has {} times the {noun} {wanted:?}; give the id of one{}",
                others + 1,
                if kind == Kind::Image { ", or take the newest with tag:NAME" } else { "" }
            );
            Err(Error::new(ErrorKind::Invalid, text))
        }
        (None, _) => {
            let text = format!(
                "{doing}: the cloud shows no {noun} {wanted:?} to this project; \
                                name one that it has, or add it"
            );
            Err(Error::new(ErrorKind::Gone, text))
        }
    }
}

/// Whether this is how OpenStack writes its ids.
pub(super) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn things(text: &str) -> Vec<Thing> {
        let listing: Listing = serde_json::from_str(text).unwrap();
        listing.things
    }

    const FLAVORS: &str = r#"{"flavors": [{"id": "1", "name": "tiny"}, {"id": "2", "name": "1"},
                              {"id": "3", "name": "twin"}, {"id": "4", "name": "twin"}]}"#;

    #[test]
    fn an_id_is_meant_before_a_name() {
        for (wanted, id) in [("tiny", "1"), ("1", "1"), ("2", "2")] {
            let found = one(Kind::Flavor, wanted, named(things(FLAVORS), wanted), "x");
            assert_eq!(found.unwrap(), id);
        }
    }

    #[test]
    fn what_is_missing_is_gone_and_what_is_twice_is_invalid() {
        let find = |wanted| one(Kind::Flavor, wanted, named(things(FLAVORS), wanted), "creating c");
        let none = find("huge").unwrap_err();
        assert_eq!(none.kind(), ErrorKind::Gone);
        assert!(none.to_string().contains("no flavor \"huge\""), "{none}");
        let two = find("twin").unwrap_err();
        assert_eq!(two.kind(), ErrorKind::Invalid);
        assert!(two.to_string().contains("2 times the flavor \"twin\"; give the id"), "{two}");
    }

    #[test]
    fn an_image_in_a_state_without_a_word_fails_no_listing() {
        let images =
            r#"{"images": [{"id": "i", "name": "n", "status": "importing"}], "next": "/"}"#;
        assert_eq!(things(images)[0].id, "i");
    }
}
