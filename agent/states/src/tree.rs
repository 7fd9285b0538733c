//! A state tree: files by their path below the file roots (`salt://`), in environments.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indexmap::IndexMap;

/// Files that one tree may hold.
const FILES_MAX: usize = 100_000;
/// Folders that one path may nest in.
const DEPTH_MAX: usize = 64;
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
    /// The tree nests deeper than the engine follows (or a link forms a circle).
    #[error("{0} nests deeper than {DEPTH_MAX} folders: check it for a link to itself")]
    TooDeep(PathBuf),
}

type Files = BTreeMap<String, Entry>;

/// A state tree, cheap to clone, seen from one of its environments (`base` at first).
///
/// Paths may name another environment as Salt's addresses do: `x/y.conf?saltenv=dev`.
#[derive(Debug, Clone)]
pub struct Tree {
    envs: Arc<IndexMap<String, Files>>,
    saltenv: Arc<str>,
}

#[derive(Debug, Clone)]
enum Entry {
    Disk(PathBuf),
    Memory(Vec<u8>),
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
                walk(folder.as_ref(), "", 0, files)?;
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
        let env = |(env, files): (E, F)| (env.into(), files.into_iter().map(entry).collect());
        Tree::of(envs.into_iter().map(env).collect())
    }

    /// `base` comes first, as Salt has it, whether it was named or not.
    fn of(mut envs: IndexMap<String, Files>) -> Tree {
        let base = envs.shift_remove(BASE).unwrap_or_default();
        envs.shift_insert(0, BASE.to_owned(), base);
        Tree { envs: Arc::new(envs), saltenv: BASE.into() }
    }

    /// The names of all environments, `base` first.
    pub fn envs(&self) -> impl Iterator<Item = &str> {
        self.envs.keys().map(String::as_str)
    }

    /// The same tree seen from another environment; `None` if there is no such one.
    pub fn env(&self, saltenv: &str) -> Option<Tree> {
        let (name, _) = self.envs.get_key_value(saltenv)?;
        Some(Tree { envs: Arc::clone(&self.envs), saltenv: name.as_str().into() })
    }

    /// The environment that this view is of.
    pub fn saltenv(&self) -> &str {
        &self.saltenv
    }

    /// The paths of all files of this environment, sorted.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.files().into_iter().flat_map(|files| files.keys().map(String::as_str))
    }

    fn files(&self) -> Option<&Files> {
        self.envs.get(&*self.saltenv)
    }

    fn entry(&self, path: &str) -> Option<&Entry> {
        let (path, saltenv) = split(path);
        let files = match saltenv {
            Some(saltenv) => self.envs.get(saltenv),
            None => self.files(),
        };
        files?.get(path)
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
        let (folder, saltenv) = split(folder);
        let files = match saltenv {
            Some(saltenv) => self.envs.get(saltenv),
            None => self.files(),
        };
        let folder = folder.trim_matches('/');
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let paths = files.into_iter().flat_map(|files| files.keys());
        paths.filter_map(move |path| path.strip_prefix(prefix.as_str()))
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

fn walk(root: &Path, below: &str, depth: usize, files: &mut Files) -> Result<(), TreeError> {
    let folder = root.join(below);
    if depth > DEPTH_MAX {
        return Err(TreeError::TooDeep(folder));
    }
    let read = |source| TreeError::Read { path: folder.clone(), source };
    for entry in fs::read_dir(&folder).map_err(read)? {
        let entry = entry.map_err(read)?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        // A dangling link is no file; Salt's file server does not list it either.
        let Ok(meta) = fs::metadata(root.join(&path)) else { continue };
        if meta.is_dir() {
            walk(root, &path, depth + 1, files)?;
        } else if meta.is_file() {
            if files.len() >= FILES_MAX {
                return Err(TreeError::TooLarge);
            }
            files.entry(path.clone()).or_insert_with(|| Entry::Disk(root.join(&path)));
        }
    }
    Ok(())
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
