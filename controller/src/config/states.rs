//! `states` of controller.yaml: folders by environment, options, and what counts as a secret.

use muster_protocol::desired::is_environment;
use muster_states::{BASE, Opts, Tree, TreeError};
use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use std::fmt;
use std::path::{Path, PathBuf};

/// The states that workers get.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct States {
    /// The folders of `top.sls` and the state files.
    pub tree: Roots,
    /// The folders of the pillar's `top.sls`; no pillar if absent.
    #[serde(default)]
    pub pillar: Option<Roots>,
    /// What a worker says of itself and the pillar may see: names of facts.
    ///
    /// A worker that was broken into says what it likes, and would get the pillar of any other.
    #[serde(default)]
    pub facts: Vec<String>,
    /// How often the folders are looked at for changes, which then go to the workers by themselves;
    /// not at all if absent.
    #[serde(default)]
    pub watch_secs: Option<u32>,
    /// Salt's minion options of all workers, by Salt's names; workers and the server see them.
    #[serde(default)]
    pub opts: Map<String, Value>,
    /// Which values of the pillar no report of a worker shows.
    #[serde(default)]
    pub secrets: Secrets,
    /// Paths in the pillar, as `db:login` or `users:*:note`, whose values are secrets in any case.
    #[serde(default)]
    pub secret_paths: Vec<String>,
    /// Paths in the pillar whose values are none.
    #[serde(default)]
    pub public_paths: Vec<String>,
}

/// Which values of the pillar are secrets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Secrets {
    /// What a key or its own look tells.
    #[default]
    Keys,
    /// Every text of eight characters or more that stands neither in the tree nor in the facts.
    All,
}

impl States {
    /// Makes relative paths relative to a folder.
    pub(super) fn resolve(&mut self, base: &Path) {
        let roots = std::iter::once(&mut self.tree).chain(&mut self.pillar);
        for folder in roots.flat_map(|roots| &mut roots.0).flat_map(|(_, folders)| folders) {
            *folder = base.join(&*folder);
        }
    }

    /// The keys of what makes no sense, and what is wrong with it.
    pub(super) fn check(&self) -> Result<(), (Vec<&str>, String)> {
        for (key, roots) in [("tree", Some(&self.tree)), ("pillar", self.pillar.as_ref())] {
            let mut names = roots.into_iter().flat_map(|roots| &roots.0).map(|(env, _)| env);
            if let Some(env) = names.find(|env| !is_environment(env)) {
                let what = format!(
                    "{env:?} is no name of an environment: use letters, digits, - and _ in it"
                );
                return Err((vec!["states", key, env.as_str()], what));
            }
        }
        match self.options().check().first() {
            Some(error) => Err((vec!["states", "opts"], error.reason.clone())),
            None => Ok(()),
        }
    }

    /// The options with which states are compiled for workers.
    #[must_use]
    pub fn options(&self) -> Opts {
        let mut opts = Opts::from_map(self.opts.clone());
        if self.secrets == Secrets::All {
            opts.set("muster_secrets", "all");
        }
        for (name, paths) in [
            ("muster_secret_paths", &self.secret_paths),
            ("muster_public_paths", &self.public_paths),
        ] {
            if !paths.is_empty() {
                opts.set(name, paths.clone());
            }
        }
        opts
    }
}

/// Folders by environment: of one with several folders, a file in an earlier one hides a later
/// one's. A path alone is the folder of the environment `base`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roots(pub Vec<(String, Vec<PathBuf>)>);

impl Roots {
    /// All folders.
    pub fn folders(&self) -> impl Iterator<Item = &PathBuf> {
        self.0.iter().flat_map(|(_, folders)| folders)
    }

    /// Lists their files.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn read(&self) -> Result<Tree, TreeError> {
        Tree::from_roots(self.0.iter().map(|(env, folders)| (env.as_str(), folders)))
    }
}

impl<'de> Deserialize<'de> for Roots {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Roots, D::Error> {
        from.deserialize_any(RootsVisitor)
    }
}

struct RootsVisitor;

impl<'de> Visitor<'de> for RootsVisitor {
    type Value = Roots;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("a folder, or a map of environments to folders")
    }

    fn visit_str<E: de::Error>(self, path: &str) -> Result<Roots, E> {
        Ok(Roots(vec![(BASE.to_owned(), vec![path.into()])]))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Roots, A::Error> {
        let mut roots = Vec::new();
        while let Some((env, Folders(folders))) = map.next_entry::<String, Folders>()? {
            roots.push((env, folders));
        }
        Ok(Roots(roots))
    }
}

/// One folder or several.
struct Folders(Vec<PathBuf>);

impl<'de> Deserialize<'de> for Folders {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Folders, D::Error> {
        from.deserialize_any(FoldersVisitor)
    }
}

struct FoldersVisitor;

impl<'de> Visitor<'de> for FoldersVisitor {
    type Value = Folders;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("a folder, or a list of folders")
    }

    fn visit_str<E: de::Error>(self, path: &str) -> Result<Folders, E> {
        Ok(Folders(vec![path.into()]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Folders, A::Error> {
        let mut folders = Vec::new();
        while let Some(folder) = seq.next_element::<PathBuf>()? {
            folders.push(folder);
        }
        Ok(Folders(folders))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use muster_protocol::yaml::{self, Words};

    fn parsed(text: &str) -> Result<States, String> {
        let states = yaml::parse::<States>(text, Path::new("c.yaml"), Words::Shown);
        let states = states.map_err(|error| error.to_string())?;
        states.check().map_err(|(keys, what)| format!("{}: {what}", keys.join(".")))?;
        Ok(states)
    }

    #[test]
    fn folders_are_given_alone_or_by_environment() {
        let mut one = parsed("tree: t\npillar: /p\n").unwrap();
        one.resolve(Path::new("/etc"));
        assert_eq!(one.tree, Roots(vec![("base".into(), vec!["/etc/t".into()])]));
        assert_eq!(one.pillar, Some(Roots(vec![("base".into(), vec!["/p".into()])])));
        let many = parsed("tree: {base: [a, b], dev: c}\npillar: null\n").unwrap();
        let folders: Vec<_> = many.tree.folders().map(|path| path.display().to_string()).collect();
        assert_eq!((folders, many.pillar), (vec!["a".into(), "b".into(), "c".into()], None));
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        for (text, wanted) in [
            ("tree: [a]\n", "a folder, or a map of environments to folders"),
            ("tree: {base: {a: b}}\n", "a folder, or a list of folders"),
            ("tree: {../x: b}\n", "states.tree.../x: \"../x\" is no name of an environment"),
            ("tree: t\nopts: {ext_pillar: [a]}\n", "the option 'ext_pillar' is not supported"),
            ("tree: t\nsecrets: some\n", "`some`"),
        ] {
            let told = parsed(text).unwrap_err();
            assert!(told.contains(wanted), "{told}");
        }
    }

    #[test]
    fn secrets_are_options_of_the_engine() {
        let text = "tree: t\nopts: {failhard: true}\nsecrets: all\nsecret_paths: ['db:login']\n";
        let opts = serde_json::to_string(&parsed(text).unwrap().options()).unwrap();
        let wanted = "{\"failhard\":true,\"muster_secrets\":\"all\",\
                      \"muster_secret_paths\":[\"db:login\"]}";
        assert_eq!(opts, wanted);
    }
}
