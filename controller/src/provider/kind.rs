//! The kinds of clouds in `controller.yaml`. A new one is a file beside this, and a line here.

use super::{Error, Provider, local, openstack};
use futures_util::future::BoxFuture;
use muster_protocol::id::ClusterName;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where a provider is opened: what it may need to know of its controller.
#[derive(Clone, Copy, Debug)]
pub struct Site<'a> {
    /// The cloud's name in the configuration.
    pub name: &'a str,
    /// The cluster that its servers belong to.
    pub cluster: &'a ClusterName,
    /// The controller's data folder.
    pub data: &'a Path,
    /// The folder of the controller's keys.
    pub keys: &'a Path,
    /// The agent's binary beside the controller's own, if it is there.
    pub agent: Option<&'a Path>,
    /// Whether images hold an agent; otherwise workers fetch theirs.
    pub agent_in_image: bool,
}

/// What a provider's file says of itself: its settings, and how it is opened.
pub trait Kind {
    /// Whether its workers run on the controller's own machine, so that there is no cloud to ask
    /// whether one of them is what it claims to be.
    const THIS_MACHINE: bool;

    /// Makes relative paths relative to a folder: that of `controller.yaml`.
    fn resolve(&mut self, base: &Path);

    /// Reads what it needs besides its settings, e.g. a file of credentials, and asks no cloud.
    fn check_files(&self) -> Result<(), Error>;

    /// Opens it. The cloud itself need not answer yet.
    fn open<'a>(&'a self, site: Site<'a>) -> BoxFuture<'a, Result<Arc<dyn Provider>, Error>>;
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:literal => $variant:ident($settings:ty),)*) => {
        /// One cloud, by its `kind`.
        #[derive(Clone, Debug, Deserialize)]
        #[serde(tag = "kind")]
        pub enum Config {
            $($(#[$doc])* #[serde(rename = $name)] $variant(Box<$settings>),)*
        }

        impl Config {
            /// Whether its workers run on the controller's own machine.
            #[must_use]
            pub fn is_this_machine(&self) -> bool {
                match self { $(Config::$variant(_) => <$settings as Kind>::THIS_MACHINE,)* }
            }

            /// Makes relative paths relative to a folder: that of `controller.yaml`.
            pub fn resolve(&mut self, base: &Path) {
                match self { $(Config::$variant(settings) => settings.resolve(base),)* }
            }

            /// Reads what the provider needs besides its settings.
            ///
            /// # Errors
            /// When its settings make no sense, or a file that they name cannot be read.
            pub fn check_files(&self) -> Result<(), Error> {
                match self { $(Config::$variant(settings) => settings.check_files(),)* }
            }

            /// Opens the provider.
            ///
            /// # Errors
            /// When its settings make no sense, or what it needs on this machine is missing.
            pub async fn open(&self, site: Site<'_>) -> Result<Arc<dyn Provider>, Error> {
                match self { $(Config::$variant(settings) => settings.open(site).await,)* }
            }
        }
    };
}

kinds! {
    /// Workers as sandboxes on this machine.
    "local" => Local(local::Settings),
    /// Servers of an OpenStack cloud.
    "openstack" => OpenStack(openstack::Settings),
}

/// A path of a configuration, relative to the folder of `controller.yaml`.
pub(super) fn resolve(path: &mut Option<PathBuf>, base: &Path) {
    if let Some(path) = path {
        *path = base.join(&*path);
    }
}
