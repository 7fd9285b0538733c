//! A state tree: files by their path below the file roots (`salt://`), in environments.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, LazyLock};

use indexmap::IndexMap;

/// Files that one tree may hold.
const FILES_MAX: usize = 100_000;
/// Folders that one path may nest in.
const DEPTH_MAX: usize = 64;
/// Times that one path may pass through the same folder: a link to a folder that it is in itself
/// (`salt -> .`) is followed once, since trees name their files by such links. Salt follows one
/// until the system refuses, so that each file has forty paths.
const PASSES_MAX: usize = 2;
/// The environment that is always there.
pub const BASE: &str = "base";

/// Why a tree could not be read.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// A folder or file could not be read.
    #[error("cannot read {path}")]
    Read {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The tree is larger than the engine takes.
    #[error(
        "the state tree holds more than {FILES_MAX} files: split it, or remove what is no state"
    )]
    TooLarge,
    /// The tree nests deeper than the engine follows.
    #[error("{0} nests deeper than {DEPTH_MAX} folders: move what is no state out of the tree")]
    TooDeep(PathBuf),
}

/// One environment.
#[derive(Debug, Clone, Default)]
struct Files {
    files: BTreeMap<String, Entry>,
    /// All folders, empty ones too.
    folders: BTreeSet<String>,
    /// Links as they stand, by path; what they lead to is among the files and folders as well.
    links: BTreeMap<String, String>,
    /// Folders that are there a second time, as links to what they are in.
    repeated: BTreeSet<String>,
}

impl Files {
    fn of(files: BTreeMap<String, Entry>) -> Files {
        let folders = files.keys().flat_map(|path| {
            path.match_indices('/').map(|(at, _)| path[..at].to_owned()).collect::<Vec<_>>()
        });
        Files { folders: folders.collect(), files, ..Files::default() }
    }
}

/// A state tree, cheap to clone, seen from one of its environments (`base` at first).
///
/// Paths may name another environment as Salt's addresses do: `x/y.conf?saltenv=dev`.
#[derive(Debug, Clone)]
pub struct Tree {
    envs: Arc<IndexMap<String, Files>>,
    saltenv: Arc<str>,
    /// It came as files alone: without links and empty folders.
    files_only: bool,
}

#[derive(Debug, Clone)]
enum Entry {
    Disk(PathBuf),
    Memory(Vec<u8>),
}

/// What is read when it is first asked for: the tree, or why it cannot be read.
type Read = Result<Tree, String>;

/// A tree that is read when it is first asked for, and then kept.
#[derive(Clone)]
pub struct LazyTree(Arc<LazyLock<Read, Box<dyn FnOnce() -> Read + Send>>>);

impl LazyTree {
    /// A tree that `read` reads, or tells why it cannot.
    pub fn new(read: impl FnOnce() -> Result<Tree, String> + Send + 'static) -> LazyTree {
        LazyTree(Arc::new(LazyLock::new(Box::new(read))))
    }

    pub(crate) fn get(&self) -> Result<&Tree, &str> {
        LazyLock::force(&self.0).as_ref().map_err(String::as_str)
    }
}

impl From<Tree> for LazyTree {
    fn from(tree: Tree) -> LazyTree {
        LazyTree::new(|| Ok(tree))
    }
}

impl fmt::Debug for LazyTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LazyTree")
    }
}

impl Default for Tree {
    fn default() -> Tree {
        Tree::of(IndexMap::new())
    }
}

impl Tree {
    /// Lists the files below `root`, following links; contents are read when they are asked for.
    pub fn from_dir(root: impl AsRef<Path>) -> Result<Tree, TreeError> {
        Tree::from_roots([(BASE, [root])])
    }

    /// A tree of several environments, each with its roots: a file in an earlier root of an
    /// environment hides one of the same path in a later one (Salt's `file_roots`).
    pub fn from_roots<E, R, P>(roots: impl IntoIterator<Item = (E, R)>) -> Result<Tree, TreeError>
    where
        E: Into<String>,
        R: IntoIterator<Item = P>,
        P: AsRef<Path>,
    {
        let mut envs: IndexMap<String, Files> = IndexMap::new();
        for (env, folders) in roots {
            let files = envs.entry(env.into()).or_default();
            for folder in folders {
                walk(folder.as_ref(), "", &mut Vec::new(), files)?;
            }
        }
        Ok(Tree::of(envs))
    }

    /// A tree of the given paths and contents.
    pub fn from_files<P, C>(files: impl IntoIterator<Item = (P, C)>) -> Tree
    where
        P: Into<String>,
        C: Into<Vec<u8>>,
    {
        Tree::from_env_files([(BASE, files)])
    }

    /// As [`Tree::from_files`], with several environments.
    pub fn from_env_files<E, F, P, C>(envs: impl IntoIterator<Item = (E, F)>) -> Tree
    where
        E: Into<String>,
        F: IntoIterator<Item = (P, C)>,
        P: Into<String>,
        C: Into<Vec<u8>>,
    {
        let entry = |(path, data): (P, C)| (path.into(), Entry::Memory(data.into()));
        let env =
            |(env, files): (E, F)| (env.into(), Files::of(files.into_iter().map(entry).collect()));
        Tree::of(envs.into_iter().map(env).collect())
    }

    /// `base` comes first, as Salt has it, whether it was named or not.
    fn of(mut envs: IndexMap<String, Files>) -> Tree {
        let base = envs.shift_remove(BASE).unwrap_or_default();
        envs.shift_insert(0, BASE.to_owned(), base);
        Tree { envs: Arc::new(envs), saltenv: BASE.into(), files_only: false }
    }

    /// The same tree, as one that lost its links and empty folders on its way here.
    #[must_use]
    pub fn files_only(self) -> Tree {
        Tree { files_only: true, ..self }
    }

    /// Whether links and empty folders of the tree are known.
    pub(crate) fn is_whole(&self) -> bool {
        !self.files_only
    }

    /// The names of all environments, `base` first.
    pub fn envs(&self) -> impl Iterator<Item = &str> {
        self.envs.keys().map(String::as_str)
    }

    /// The same tree seen from another environment; `None` if there is no such one.
    pub fn env(&self, saltenv: &str) -> Option<Tree> {
        let (name, _) = self.envs.get_key_value(saltenv)?;
        Some(Tree { saltenv: name.as_str().into(), ..self.clone() })
    }

    /// The environment that this view is of.
    pub fn saltenv(&self) -> &str {
        &self.saltenv
    }

    /// The paths of all files of this environment, sorted.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.files().into_iter().flat_map(|files| files.files.keys().map(String::as_str))
    }

    fn files(&self) -> Option<&Files> {
        self.envs.get(&*self.saltenv)
    }

    /// The environment that an address names, or else this one.
    fn of_env(&self, saltenv: Option<&str>) -> Option<&Files> {
        saltenv.map_or_else(|| self.files(), |saltenv| self.envs.get(saltenv))
    }

    fn entry(&self, path: &str) -> Option<&Entry> {
        let (path, saltenv) = split(path);
        self.of_env(saltenv)?.files.get(&*tidy(path))
    }

    /// Where a file is on this machine, if it is.
    pub(crate) fn disk_path(&self, path: &str) -> Option<&Path> {
        match self.entry(path)? {
            Entry::Disk(path) => Some(path),
            Entry::Memory(_) => None,
        }
    }

    /// Whether a file of this path exists.
    pub fn has(&self, path: &str) -> bool {
        self.entry(path).is_some()
    }

    /// The contents of a file; `None` if there is no such file.
    pub fn read(&self, path: &str) -> Option<io::Result<Vec<u8>>> {
        Some(match self.entry(path)? {
            Entry::Disk(file) => fs::read(file),
            Entry::Memory(data) => Ok(data.clone()),
        })
    }

    /// The bytes that a file holds, without reading it.
    pub(crate) fn size(&self, path: &str) -> Option<u64> {
        match self.entry(path)? {
            Entry::Disk(file) => Some(fs::metadata(file).ok()?.len()),
            Entry::Memory(data) => u64::try_from(data.len()).ok(),
        }
    }

    /// The permission bits that a file has in the tree (0644 for one in memory).
    pub(crate) fn mode(&self, path: &str) -> Option<u32> {
        use std::os::unix::fs::PermissionsExt;
        match self.entry(path)? {
            Entry::Disk(file) => Some(fs::metadata(file).ok()?.permissions().mode() & 0o7777),
            Entry::Memory(_) => Some(0o644),
        }
    }

    /// The files below a folder, as paths relative to it.
    pub(crate) fn below<'a>(&'a self, folder: &str) -> impl Iterator<Item = &'a str> {
        let (files, prefix) = self.under(folder);
        let paths = files.into_iter().flat_map(|files| files.files.keys());
        paths.filter_map(move |path| path.strip_prefix(prefix.as_str()))
    }

    /// The folders below a folder, empty ones too, as paths relative to it.
    pub(crate) fn folders_below<'a>(&'a self, folder: &str) -> impl Iterator<Item = &'a str> {
        let (files, prefix) = self.under(folder);
        let paths = files.into_iter().flat_map(|files| &files.folders);
        paths.filter_map(move |path| path.strip_prefix(prefix.as_str()))
    }

    /// The links below a folder, as paths relative to it, and what they say.
    pub(crate) fn links_below<'a>(
        &'a self,
        folder: &str,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        let (files, prefix) = self.under(folder);
        let links = files.into_iter().flat_map(|files| &files.links);
        links.filter_map(move |(path, target)| {
            Some((path.strip_prefix(prefix.as_str())?, target.as_str()))
        })
    }

    /// Whether a path is a second one of a file, by a link to a folder that the link is in.
    pub(crate) fn is_repeated(&self, path: &str) -> bool {
        let repeated = self.files().map(|files| &files.repeated).filter(|all| !all.is_empty());
        let above = || path.match_indices('/').map(|(at, _)| &path[..at]);
        repeated.is_some_and(|repeated| above().any(|folder| repeated.contains(folder)))
    }

    /// Whether a folder of this path exists.
    pub(crate) fn has_folder(&self, path: &str) -> bool {
        let (path, saltenv) = split(path);
        self.of_env(saltenv).is_some_and(|files| files.folders.contains(path))
    }

    /// The environment that an address means, and what the paths below the folder start with.
    fn under(&self, folder: &str) -> (Option<&Files>, String) {
        let (folder, saltenv) = split(folder);
        let files = self.of_env(saltenv);
        let folder = folder.trim_matches('/');
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        (files, prefix)
    }
}

/// Path and environment of `x?saltenv=dev`; a `|` in front of a path takes `?` as it is.
fn split(path: &str) -> (&str, Option<&str>) {
    if let Some(literal) = path.strip_prefix('|') {
        return (literal, None);
    }
    match path.split_once("?saltenv=") {
        Some((path, saltenv)) => (path, Some(saltenv)),
        None => (path, None),
    }
}

/// A path as Salt's file server looks for it: `a//b`, `./a/b` and `a/./b/` are `a/b`. One that
/// starts at `/` or goes up is in no tree and stays what it is.
pub(crate) fn tidy(path: &str) -> Cow<'_, str> {
    let odd = |part: &str| part.is_empty() || part == ".";
    if path.starts_with('/') || !path.split('/').any(odd) {
        return Cow::Borrowed(path);
    }
    let parts: Vec<&str> = path.split('/').filter(|part| !odd(part)).collect();
    Cow::Owned(parts.join("/"))
}

/// `above` are the folders, by device and number, that lead here.
fn walk(
    root: &Path,
    below: &str,
    above: &mut Vec<(u64, u64)>,
    files: &mut Files,
) -> Result<(), TreeError> {
    let folder = root.join(below);
    if above.len() > DEPTH_MAX {
        return Err(TreeError::TooDeep(folder));
    }
    let read = |source| TreeError::Read { path: folder.clone(), source };
    let own = fs::metadata(&folder).map_err(read)?;
    let own = (own.dev(), own.ino());
    let passes = above.iter().filter(|folder| **folder == own).count();
    if passes >= PASSES_MAX {
        return Ok(());
    }
    if passes > 0 {
        files.repeated.insert(below.to_owned());
    }
    above.push(own);
    for entry in fs::read_dir(&folder).map_err(read)? {
        let entry = entry.map_err(read)?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        let place = root.join(&path);
        note_link(root, &place, &path, files);
        // A dangling link is no file.
        let Ok(meta) = fs::metadata(&place) else { continue };
        if meta.is_dir() {
            files.folders.insert(path.clone());
            walk(root, &path, above, files)?;
        } else if meta.is_file() {
            if files.files.len() >= FILES_MAX {
                return Err(TreeError::TooLarge);
            }
            files.files.entry(path).or_insert_with(|| Entry::Disk(place));
        }
    }
    above.pop();
    Ok(())
}

/// Notes a link; as in Salt, not one that leads out of the root.
fn note_link(root: &Path, place: &Path, path: &str, files: &mut Files) {
    let Ok(target) = fs::read_link(place) else { return };
    let Some(text) = target.to_str() else { return };
    // A target that goes up starts from the link itself: so Salt counts.
    let from = if text.starts_with("..") { place } else { place.parent().unwrap_or(root) };
    let leads = lexical(&from.join(&target));
    let leads = fs::canonicalize(&leads).unwrap_or(leads);
    let real = fs::canonicalize(root).unwrap_or_else(|_| root.to_path_buf());
    if leads.starts_with(&real) || leads.starts_with(root) {
        files.links.entry(path.to_owned()).or_insert_with(|| text.to_owned());
    }
}

/// A path without `.` and `..`, by its words alone.
pub(crate) fn lexical(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_becomes_a_tree_of_relative_paths() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("a/b")).unwrap();
        fs::write(dir.path().join("a/b/init.sls"), "x").unwrap();
        fs::write(dir.path().join("top.sls"), "t").unwrap();
        let tree = Tree::from_dir(dir.path()).unwrap();
        assert_eq!(tree.paths().collect::<Vec<_>>(), ["a/b/init.sls", "top.sls"]);
        assert_eq!(tree.read("top.sls").unwrap().unwrap(), b"t");
        assert!(tree.read("nope").is_none());
        assert_eq!(tree.below("a").collect::<Vec<_>>(), ["b/init.sls"]);
    }

    #[test]
    fn a_link_to_a_folder_that_it_is_in_is_followed_once() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("a")).unwrap();
        fs::write(dir.path().join("a/x.sls"), "x").unwrap();
        for (target, link) in [(".", "salt"), ("..", "a/up"), ("a", "b"), ("self", "self")] {
            std::os::unix::fs::symlink(target, dir.path().join(link)).unwrap();
        }
        let tree = Tree::from_dir(dir.path()).unwrap();
        assert!(tree.has("a/x.sls") && tree.has("salt/a/x.sls") && tree.has("b/x.sls"));
        assert!(tree.is_repeated("salt/a/x.sls") && tree.is_repeated("a/up/b/x.sls"));
        assert!(!tree.is_repeated("b/x.sls") && !tree.is_repeated("a/x.sls"));
        assert!(!tree.has("salt/salt/a/x.sls"), "{:?}", tree.paths().collect::<Vec<_>>());
    }

    #[test]
    fn each_environment_has_its_roots_and_the_first_one_wins() {
        let dir = tempfile::tempdir().unwrap();
        for (file, text) in [("one/x", "1"), ("two/x", "2"), ("two/y", "2"), ("dev/x", "dev")] {
            let file = dir.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        let root = |name: &str| dir.path().join(name);
        let roots = [("dev", vec![root("dev")]), ("base", vec![root("one"), root("two")])];
        let tree = Tree::from_roots(roots).unwrap();
        assert_eq!(tree.envs().collect::<Vec<_>>(), ["base", "dev"]);
        assert_eq!(tree.paths().collect::<Vec<_>>(), ["x", "y"]);
        assert_eq!(tree.read("x").unwrap().unwrap(), b"1");
        assert_eq!(tree.read("x?saltenv=dev").unwrap().unwrap(), b"dev");
        assert!(tree.read("x?saltenv=nope").is_none());
        let dev = tree.env("dev").unwrap();
        assert_eq!((dev.saltenv(), dev.read("x").unwrap().unwrap()), ("dev", b"dev".to_vec()));
        assert!(dev.read("y").is_none() && dev.has("y?saltenv=base"));
        assert_eq!(dev.below("?saltenv=base").count(), 2);
        assert!(tree.env("nope").is_none());
    }
}
