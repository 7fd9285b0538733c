//! What `controller.yaml` says of workers on this machine (`kind: local`).

use super::{Config, Isolation, Local, SandboxCommand, default_isolation, support};
use crate::provider::kind::{Kind, Site, resolve};
use crate::provider::{Error, ErrorKind, Provider};
use futures_util::future::BoxFuture;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Workers as sandboxes on this machine.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// `root`, `user` or `none`; the best that this machine supports if absent.
    pub isolation: Option<Isolation>,
    /// The agent's binary; the one beside the controller's if absent. A worker that fetches its
    /// agent (`agent.install: url`) does not see it.
    pub agent: Option<PathBuf>,
    /// The folder of all workers; one in the controller's data folder if absent. Controllers that
    /// stand by for each other share it.
    pub folder: Option<PathBuf>,
}

impl Settings {
    async fn local(&self, site: Site<'_>) -> Result<Local, Error> {
        let sandbox = SandboxCommand::current().map_err(|error| {
            let text = format!("provider {}: finding this program", site.name);
            Error::new(ErrorKind::Transient, text).caused_by(error)
        })?;
        let isolation = match self.isolation {
            Some(isolation) => isolation,
            None => default_isolation(&support(&sandbox).await),
        };
        let agent = self.agent.clone().or_else(|| site.agent.map(Path::to_owned));
        let own = site.data.join("local").join(site.name);
        Local::open(Config {
            folder: self.folder.clone().unwrap_or(own),
            cluster: site.cluster.clone(),
            isolation,
            agent_binary: agent.filter(|_| site.agent_in_image),
            hidden: vec![site.keys.to_owned(), site.data.to_owned()],
            sandbox,
        })
    }
}

impl Kind for Settings {
    const THIS_MACHINE: bool = true;

    fn resolve(&mut self, base: &Path) {
        resolve(&mut self.agent, base);
        resolve(&mut self.folder, base);
    }

    fn check_files(&self) -> Result<(), Error> {
        Ok(())
    }

    fn open<'a>(&'a self, site: Site<'a>) -> BoxFuture<'a, Result<Arc<dyn Provider>, Error>> {
        Box::pin(async move { Ok(Arc::new(self.local(site).await?) as Arc<dyn Provider>) })
    }
}
