//! The demo's `controller.yaml`: one pool on this machine, the quickstart tree, one sink.

use super::folder::Folder;
use crate::failure::{Failure, OrNext, Result};
use anyhow::Context;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

/// The demo's cluster.
pub(super) const CLUSTER: &str = "demo";
/// The demo's pool, which names its workers.
pub(super) const POOL: &str = "demo";
/// The demo's provider, which names the folder of its workers.
pub(super) const PROVIDER: &str = "here";
/// So many more workers may be launched by hand while the demo tails.
const SPARE: u32 = 16;
/// A few workers on one machine cost nothing to look at; a failed start is told sooner.
const RECONCILE_SECS: u32 = 2;
const VARIABLE: &str = "MUSTER_QUICKSTART";
/// Where the quickstart tree is in a checkout, and where packages put it.
const PLACES: [&str; 2] = ["packaging/quickstart", "share/muster/quickstart"];
/// Where the states are in that folder, if not in itself.
const TREES: [&str; 2] = ["states", "salt"];

/// How workers are kept apart from this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Isolation {
    /// As root: an overlay on all of /, and processes of their own
    Root,
    /// As anybody: a user namespace, and overlays on what states change
    User,
    /// A folder
    None,
}

impl Isolation {
    fn name(self) -> &'static str {
        match self {
            Isolation::Root => "root",
            Isolation::User => "user",
            Isolation::None => "none",
        }
    }
}

/// What the configuration is made from.
#[derive(Debug)]
pub(super) struct Settings {
    quickstart: PathBuf,
    workers: u32,
    isolation: Option<Isolation>,
    agent: PathBuf,
    folder: PathBuf,
    samples: PathBuf,
    keys: PathBuf,
}

impl Settings {
    /// Finds the tree and the agent.
    pub(super) fn find(
        folder: &Folder,
        workers: u32,
        isolation: Option<Isolation>,
    ) -> Result<Settings> {
        Ok(Settings {
            quickstart: quickstart()?,
            workers,
            isolation,
            agent: crate::binaries::Binary::Agent.find()?,
            folder: folder.path().to_owned(),
            samples: folder.samples(),
            keys: folder.config(),
        })
    }

    /// Writes the file; JSON is YAML.
    pub(super) fn write(&self, to: &Path) -> Result<()> {
        let text = format!("{:#}\n", self.value());
        let writing = || format!("writing {}", to.display());
        fs::write(to, text).with_context(writing).or_next("make room on the disk")
    }

    fn value(&self) -> Value {
        let mut provider = json!({"kind": "local", "agent": self.agent});
        if let Some(isolation) = self.isolation {
            provider["isolation"] = isolation.name().into();
        }
        let pillar = self.quickstart.join("pillar");
        json!({
            "cluster": CLUSTER,
            "keys": self.keys,
            "data": self.folder,
            "nats": "embedded",
            "states": {"tree": self.tree(), "pillar": pillar.is_dir().then_some(pillar)},
            "providers": {PROVIDER: provider},
            "pools": {POOL: {"provider": PROVIDER, "min": 0, "max": self.workers + SPARE}},
            "sinks": [{"kind": "json_lines", "name": "samples", "path": self.samples}],
            "agent": {"listen": "127.0.0.1:0"},
            "timeouts": {"reconcile_secs": RECONCILE_SECS},
        })
    }

    fn tree(&self) -> PathBuf {
        let inner = TREES.map(|name| self.quickstart.join(name));
        let found = inner.into_iter().find(|path| path.join("top.sls").is_file());
        found.unwrap_or_else(|| self.quickstart.clone())
    }
}

fn has_tree(folder: &Path) -> bool {
    ["."].iter().chain(&TREES).any(|tree| folder.join(tree).join("top.sls").is_file())
}

/// The tree of the demo: named by the environment, or found near this program or this folder.
fn quickstart() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os(VARIABLE).filter(|value| !value.is_empty()) {
        let named = PathBuf::from(named);
        let real = fs::canonicalize(&named);
        return real
            .with_context(|| format!("{VARIABLE} names {}", named.display()))
            .or_next(format!("set {VARIABLE} to the folder packaging/quickstart, or unset it"));
    }
    let program = std::env::current_exe().unwrap_or_default();
    // Not all folders above this one: somebody else's may be among them.
    let near = program.ancestors().map(Path::to_owned).chain(std::env::current_dir().ok());
    near.flat_map(|folder| PLACES.map(|place| folder.join(place)))
        .find(|folder| has_tree(folder))
        .ok_or_else(|| {
            Failure::say(
                "the demo's states (packaging/quickstart) are neither near muster nor here",
                format!("run it in a checkout of Muster, or set {VARIABLE} to that folder"),
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_names_everything_by_its_full_path() {
        let settings = Settings {
            quickstart: "/q".into(),
            workers: 5,
            isolation: Some(Isolation::User),
            agent: "/bin/muster-agent".into(),
            folder: "/d".into(),
            samples: "/d/samples.jsonl".into(),
            keys: "/d/config".into(),
        };
        let expected = json!({
            "cluster": "demo",
            "keys": "/d/config",
            "data": "/d",
            "nats": "embedded",
            "states": {"tree": "/q", "pillar": null},
            "providers": {
                "here": {"kind": "local", "agent": "/bin/muster-agent", "isolation": "user"},
            },
            "pools": {"demo": {"provider": "here", "min": 0, "max": 21}},
            "sinks": [{"kind": "json_lines", "name": "samples", "path": "/d/samples.jsonl"}],
            "agent": {"listen": "127.0.0.1:0"},
            "timeouts": {"reconcile_secs": 2},
        });
        assert_eq!(settings.value(), expected);
    }
}
