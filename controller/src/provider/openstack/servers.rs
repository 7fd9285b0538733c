//! Nova's servers as we see them: what is read of them, and what it means.
//!
//! Only what is needed is read, and nothing that Nova may add or rename fails a whole list.

use super::fault;
use crate::provider::{METADATA_AGENT, METADATA_CLUSTER, Server, ServerId, Status};
use muster_protocol::id::{AgentId, ClusterName, UnixMillis};
use serde::Deserialize;
use std::collections::BTreeMap;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The metadata key under which a server bears what its pool called the image.
pub(super) const METADATA_IMAGE: &str = "muster_image";
/// What Nova sets a server's task to while it is being removed.
const DELETING: &[&str] = &["deleting", "soft-deleting"];

/// The answer to a `GET` of one.
#[derive(Debug, Deserialize)]
pub(super) struct One {
    pub(super) server: Found,
}

/// The answer to a `POST` of one: without status or addresses.
#[derive(Debug, Deserialize)]
pub(super) struct Made {
    pub(super) server: MadeServer,
}

/// The one thing that counts in it.
#[derive(Debug, Deserialize)]
pub(super) struct MadeServer {
    pub(super) id: String,
}

/// One page of a listing.
#[derive(Debug, Deserialize)]
pub(super) struct Page {
    pub(super) servers: Vec<Found>,
    #[serde(default)]
    servers_links: Vec<Link>,
}

#[derive(Debug, Deserialize)]
struct Link {
    rel: String,
}

impl Page {
    /// Where the next page begins, if there is one.
    pub(super) fn next(&self) -> Option<String> {
        let more = self.servers_links.iter().any(|link| link.rel == "next");
        self.servers.last().filter(|_| more).map(|last| last.id.clone())
    }
}

/// A server.
#[derive(Debug, Deserialize)]
pub(super) struct Found {
    pub(super) id: String,
    pub(super) status: NovaStatus,
    #[serde(default, rename = "OS-EXT-STS:task_state")]
    task: Option<String>,
    #[serde(default)]
    created: Option<String>,
    #[serde(default)]
    addresses: BTreeMap<String, Vec<Address>>,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
    #[serde(default)]
    fault: Option<Fault>,
}

#[derive(Debug, Deserialize)]
struct Address {
    addr: String,
}

#[derive(Debug, Deserialize)]
struct Fault {
    #[serde(default)]
    code: u16,
    #[serde(default)]
    message: String,
}

/// Nova's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum NovaStatus {
    Active,
    Build,
    Deleted,
    Error,
    HardReboot,
    Migrating,
    Password,
    Paused,
    Reboot,
    Rebuild,
    Rescue,
    Resize,
    RevertResize,
    Shelved,
    ShelvedOffloaded,
    Shutoff,
    SoftDeleted,
    Suspended,
    VerifyResize,
    #[serde(other)]
    Other,
}

impl Found {
    /// The cluster that its metadata names, whatever it is.
    pub(super) fn cluster(&self) -> Option<&str> {
        self.metadata.get(METADATA_CLUSTER).map(String::as_str)
    }

    /// As the provider tells it; `None` if it is not of this cluster, or of no generation.
    pub(super) fn server(self, cluster: &ClusterName) -> Option<Server> {
        if self.cluster() != Some(cluster.as_str()) {
            return None;
        }
        let Ok(agent_id) = self.metadata.get(METADATA_AGENT)?.parse::<AgentId>() else {
            tracing::debug!(server_id = %self.id, "a server's metadata names no agent id");
            return None;
        };
        let status = self.status();
        let addresses =
            self.addresses.into_values().flatten().flat_map(|address| address.addr.parse());
        Some(Server {
            id: ServerId::new(self.id),
            name: agent_id.worker(),
            agent_id,
            cluster: cluster.clone(),
            status,
            addresses: addresses.collect(),
            created_at: self.created.as_deref().and_then(millis).unwrap_or(UnixMillis(0)),
            image: self.metadata.get(METADATA_IMAGE).cloned().unwrap_or_default(),
        })
    }

    fn status(&self) -> Status {
        if self.task.as_deref().is_some_and(|task| DELETING.contains(&task)) {
            return Status::Deleted;
        }
        match self.status {
            NovaStatus::Build | NovaStatus::Rebuild => Status::Building,
            // It runs, or is just coming back by itself.
            NovaStatus::Active
            | NovaStatus::HardReboot
            | NovaStatus::Migrating
            | NovaStatus::Password
            | NovaStatus::Reboot
            | NovaStatus::Resize
            | NovaStatus::RevertResize
            | NovaStatus::VerifyResize => Status::Active,
            NovaStatus::Paused
            | NovaStatus::Rescue
            | NovaStatus::Shelved
            | NovaStatus::ShelvedOffloaded
            | NovaStatus::Shutoff
            | NovaStatus::Suspended => Status::Stopped,
            NovaStatus::Error => Status::Error(self.reason()),
            NovaStatus::Deleted | NovaStatus::SoftDeleted => Status::Deleted,
            NovaStatus::Other => Status::Unknown,
        }
    }

    fn reason(&self) -> String {
        let Some(Fault { code, message }) = &self.fault else {
            return "the cloud gives no reason".to_owned();
        };
        format!("{} (fault {code})", fault::tidy(message))
    }
}

/// A time as Nova writes it.
fn millis(text: &str) -> Option<UnixMillis> {
    let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).ok().map(UnixMillis)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    fn found(change: &str) -> Option<Server> {
        let text = format!(
            r#"{{"id": "i", "status": "ACTIVE", "created": "2026-11-20T05:50:53Z",
                "addresses": {{"net": [{{"addr": "10.0.0.7", "version": 4}}]}}, "new": [1],
                "metadata": {{"muster_cluster": "home", "muster_agent_id": "c-1-aaaaaaaaaaaa",
                              "muster_image": "tag:worker"}}{change}}}"#
        );
        let found: Found = serde_json::from_str(&text).unwrap();
        found.server(&"home".parse().unwrap())
    }

    #[test]
    fn a_server_is_what_its_metadata_says() {
        let server = found("").unwrap();
        assert_eq!((server.name.as_str(), server.image.as_str()), ("c-1", "tag:worker"));
        assert_eq!(server.addresses, ["10.0.0.7".parse::<IpAddr>().unwrap()]);
        assert_eq!(server.created_at, UnixMillis(1_795_153_853_000));
        assert_eq!(server.status, Status::Active);
    }

    #[test]
    fn another_clusters_server_and_one_without_a_generation_are_not_ours() {
        for metadata in [
            r#"{"muster_cluster": "away", "muster_agent_id": "c-1-aaaaaaaaaaaa"}"#,
            r#"{"muster_cluster": "home", "muster_agent_id": "nonsense"}"#,
            r#"{"muster_cluster": "home"}"#,
            "{}",
        ] {
            let text = format!(r#"{{"id": "i", "status": "ACTIVE", "metadata": {metadata}}}"#);
            let found: Found = serde_json::from_str(&text).unwrap();
            assert_eq!(found.server(&"home".parse().unwrap()), None);
        }
    }

    #[test]
    fn every_status_has_a_meaning_and_new_ones_fail_nothing() {
        let fault = r#", "fault": {"code": 500, "message": "No valid host was found. "}"#;
        let of = |status: &str, rest: &str| {
            let text = format!(
                r#"{{"id": "i", "status": "{status}", "metadata": {{"muster_cluster": "home",
                    "muster_agent_id": "c-1-aaaaaaaaaaaa"}}{rest}}}"#
            );
            let found: Found = serde_json::from_str(&text).unwrap();
            found.server(&"home".parse().unwrap()).unwrap().status
        };
        assert_eq!(of("BUILD", ""), Status::Building);
        assert_eq!(of("SHELVED_OFFLOADED", ""), Status::Stopped);
        assert_eq!(of("SOFT_DELETED", ""), Status::Deleted);
        assert_eq!(of("ACTIVE", r#", "OS-EXT-STS:task_state": "deleting""#), Status::Deleted);
        assert_eq!(of("FROZEN", ""), Status::Unknown);
        let broken = Status::Error("No valid host was found (fault 500)".to_owned());
        assert_eq!(of("ERROR", fault), broken);
        assert_eq!(of("ERROR", ""), Status::Error("the cloud gives no reason".to_owned()));
    }

    #[test]
    fn a_page_knows_where_the_next_begins() {
        let page = |links: &str| -> Page {
            let text = format!(r#"{{"servers": [{{"id": "i", "status": "ACTIVE"}}]{links}}}"#);
            serde_json::from_str(&text).unwrap()
        };
        let next = r#", "servers_links": [{"rel": "next", "href": "http://x"}]"#;
        assert_eq!(page(next).next().as_deref(), Some("i"));
        assert_eq!(page("").next(), None);
    }
}
