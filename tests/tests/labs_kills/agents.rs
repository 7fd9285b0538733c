//! Agents on the cloud's servers, played by the test: each reads the user-data that Nova gives to
//! its server, enrols as soon as a controller lives that answers, and reports its states applied.

use crate::lab::Lab;
use futures_util::future::join_all;
use muster_controller::provider::openstack::OpenStack;
use muster_controller::provider::{Provider, Server, Status};
use muster_protocol::id::AgentId;
use muster_tests::joiner::{Joined, Joiner, report_applied};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

const LOOK_EVERY: Duration = Duration::from_secs(3);
/// A controller that is killed never answers.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) struct Agents<'a> {
    lab: &'a Lab,
    provider: OpenStack,
    ca: PathBuf,
    joining: BTreeMap<AgentId, Joiner>,
    /// Those that have nothing to do any more.
    over: BTreeSet<AgentId>,
}

impl Agents<'_> {
    pub(crate) fn new(lab: &Lab, ca: PathBuf) -> Agents<'_> {
        let (joining, over) = (BTreeMap::new(), BTreeSet::new());
        Agents { lab, provider: lab.provider(""), ca, joining, over }
    }

    /// Plays them until it is dropped.
    pub(crate) async fn play(&mut self) {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        loop {
            looks.tick().await;
            let Ok(servers) = self.provider.list().await else { continue };
            for server in servers.iter().filter(|server| server.status == Status::Active) {
                self.boot(server);
            }
            let there: BTreeSet<&AgentId> = servers.iter().map(|server| &server.agent_id).collect();
            self.joining.retain(|agent, _| there.contains(agent));
            let tries = self.joining.values().map(|joiner| join(joiner, &self.ca));
            for done in join_all(tries).await.into_iter().flatten() {
                self.joining.remove(&done);
                self.over.insert(done);
            }
        }
    }

    fn boot(&mut self, server: &Server) {
        let agent = &server.agent_id;
        if self.over.contains(agent) || self.joining.contains_key(agent) {
            return;
        }
        let text = tokio::task::block_in_place(|| self.lab.metadata_of(server));
        let Some(text) = text else { return };
        let joiner = Joiner::of_user_data(&text).unwrap();
        assert_eq!(joiner.agent_id(), agent, "the user-data of another generation");
        self.joining.insert(agent.clone(), joiner);
    }
}

/// Enrols and reports; or tries again later, as an agent does.
async fn join(joiner: &Joiner, ca: &std::path::Path) -> Option<AgentId> {
    let agent = joiner.agent_id();
    match joiner.enrol(ca, PATIENCE).await {
        Ok(Joined::Admitted(bus)) => {
            report_applied(agent, &bus).await.ok()?;
            bus.close().await;
            Some(agent.clone())
        }
        Ok(Joined::Refused(_)) => Some(agent.clone()),
        Ok(Joined::Later(_)) | Err(_) => None,
    }
}
