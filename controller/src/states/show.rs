//! What the tree comes to for one worker, by what the controller knows of it: nothing is run, and
//! templates that look at the machine find an empty one.

use super::{Error, States};
use muster_protocol::api::{Compiled, Shown, Stage};
use muster_protocol::worker::Worker;
use muster_states::{Facts, Host, Kind, Opts, Request, Selection};
use serde_json::{Value, json};
use tokio::sync::oneshot;

/// Compilations at once; who asks for more waits.
pub(super) const SHOWS_MAX: usize = 2;
/// The stack of the thread that renders: templates may nest.
const STACK_BYTES: usize = 8 << 20;
/// Faults that one answer tells.
const FAULTS_MAX: usize = 100;

/// Whether secrets of the pillar are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Secrecy {
    /// They are masked.
    Masked,
    /// They are shown.
    Open,
}

impl States {
    /// Compiles the tree as it is now for one worker, with its pillar.
    pub(crate) async fn show(
        &self,
        worker: &Worker,
        of: Compiled,
        secrecy: Secrecy,
    ) -> Result<Shown, Error> {
        let failed = |what: &str| Error::Show { worker: of.worker.to_string(), what: what.into() };
        let _turn = self.shows.acquire().await.map_err(|_| failed("the controller stops"))?;
        let pillar = self.pillar(worker).await?;
        let pillar = serde_json::from_str(&pillar).map_err(|error| failed(&error.to_string()))?;
        let mut facts = Facts::from_map(worker.facts.clone().into_iter().collect());
        facts.set("id", worker.name.as_str());
        let (roots, opts, of_thread) =
            (self.config.tree.clone(), self.config.options(), of.clone());
        let (send, receive) = oneshot::channel();
        let thread = std::thread::Builder::new().name("show".to_owned()).stack_size(STACK_BYTES);
        let work = move || {
            let shown = roots.read().map_err(|error| crate::chain(&error));
            let shown = shown.and_then(|tree| {
                let of = Of { tree: &tree, facts: &facts, pillar: &pillar, opts: &opts };
                of.shown(&of_thread, secrecy)
            });
            // Who asked may have gone.
            drop(send.send(shown));
        };
        thread.spawn(work).map_err(|error| failed(&error.to_string()))?;
        let shown = receive.await.map_err(|_| failed("the state engine broke off"))?;
        shown.map_err(|what| failed(&what))
    }
}

/// For whom and from what.
struct Of<'a> {
    tree: &'a muster_states::Tree,
    facts: &'a Facts,
    pillar: &'a Value,
    opts: &'a Opts,
}

impl Of<'_> {
    fn shown(&self, of: &Compiled, secrecy: Secrecy) -> Result<Shown, String> {
        let Of { tree, facts, pillar, opts } = *self;
        let bare = tempfile::tempdir().and_then(|dir| Host::lay_bare(dir.path()).map(|()| dir));
        let bare = bare.map_err(|error| format!("making a folder: {error}"))?;
        let host = &Host::still(bare.path());
        let selection = match of.sls.is_empty() {
            true => &Selection::Highstate,
            false => &Selection::Sls(of.sls.clone()),
        };
        let request = Request { tree, facts, pillar, opts, selection, exclude: &[], host };
        let shown = match of.stage {
            Stage::Top => muster_states::show_top(&request),
            Stage::High => muster_states::show_high(&request),
            Stage::Low => muster_states::show_low(&request),
        };
        let shown = match secrecy {
            Secrecy::Masked => muster_states::masked(&request, shown),
            Secrecy::Open => shown,
        };
        Ok(match shown {
            Ok(shown) => Shown { shown, faults: Vec::new() },
            Err(errors) if errors.first().is_some_and(|error| error.kind == Kind::Nothing) => {
                let shown = if of.stage == Stage::Low { json!([]) } else { json!({}) };
                Shown { shown, faults: Vec::new() }
            }
            Err(errors) => {
                let faults = errors.iter().take(FAULTS_MAX).map(ToString::to_string).collect();
                Shown { shown: Value::Null, faults }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use muster_states::Tree;

    fn shown(sls: &str, stage: Stage, secrecy: Secrecy) -> Shown {
        let top = "base:\n  'os:Debian':\n    - match: grain\n    - a\n";
        let tree = Tree::from_files([("top.sls", top), ("a.sls", sls)]);
        let facts = serde_json::from_value(json!({"id": "w1", "os": "Debian"})).unwrap();
        let (pillar, opts) = (json!({"db": {"password": "Tr0ub4dor"}}), Opts::default());
        let of = Of { tree: &tree, facts: &facts, pillar: &pillar, opts: &opts };
        let worker = "w-0001".parse().unwrap();
        of.shown(&Compiled { worker, stage, sls: Vec::new() }, secrecy).unwrap()
    }

    #[test]
    fn a_stage_is_shown_for_the_worker_with_its_secrets_masked() {
        let sls = "x: {test.nop: [{text: {{ pillar.db.password }}-{{ grains.id }}}]}\n";
        assert_eq!(shown(sls, Stage::Top, Secrecy::Masked).shown, json!({"base": ["a"]}));
        let masked = shown(sls, Stage::Low, Secrecy::Masked).shown;
        assert_eq!(masked[0]["text"], "**********-w1");
        assert_eq!(shown(sls, Stage::Low, Secrecy::Open).shown[0]["text"], "Tr0ub4dor-w1");
    }

    #[test]
    fn templates_run_nothing_on_the_controller() {
        let sls = "x: {test.nop: [{text: {{ salt['cmd.run']('id') }}}]}\n";
        let told = shown(sls, Stage::Low, Secrecy::Masked);
        assert!(told.faults[0].contains("id is not run: states are shown here"), "{told:?}");
        let sls = "x: {test.nop: [{there: {{ salt['file.file_exists']('/etc/shadow') }}}]}\n";
        assert_eq!(shown(sls, Stage::Low, Secrecy::Masked).shown[0]["there"], json!(false));
    }
}
