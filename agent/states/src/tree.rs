//! A state tree: files by their path below the file root (`salt://`).

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Files that one tree may hold.
const FILES_MAX: usize = 100_000;
/// Folders that one path may nest in.
const DEPTH_MAX: usize = 64;

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

/// A state tree, cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    files: Arc<BTreeMap<String, Entry>>,
}

#[derive(Debug, Clone)]
enum Entry {
    Disk(PathBuf),
    Memory(Vec<u8>),
}

impl Tree {
    /// Lists the files below `root`, following links; contents are read when they are asked for.
    pub fn from_dir(root: impl AsRef<Path>) -> Result<Tree, TreeError> {
        let mut files = BTreeMap::new();
        walk(root.as_ref(), "", 0, &mut files)?;
        Ok(Tree { files: Arc::new(files) })
    }

    /// A tree of the given paths and contents.
    pub fn from_files<P, C>(files: impl IntoIterator<Item = (P, C)>) -> Tree
    where
        P: Into<String>,
        C: Into<Vec<u8>>,
    {
        let files = files.into_iter().map(|(path, data)| (path.into(), Entry::Memory(data.into())));
        Tree { files: Arc::new(files.collect()) }
    }

    /// The paths of all files, sorted.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// Whether a file of this path exists.
    pub fn has(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    /// The contents of a file; `None` if there is no such file.
    pub fn read(&self, path: &str) -> Option<io::Result<Vec<u8>>> {
        Some(match self.files.get(path)? {
            Entry::Disk(file) => fs::read(file),
            Entry::Memory(data) => Ok(data.clone()),
        })
    }

    /// The permission bits that a file has in the tree (0644 for one in memory).
    pub(crate) fn mode(&self, path: &str) -> Option<u32> {
        use std::os::unix::fs::PermissionsExt;
        match self.files.get(path)? {
            Entry::Disk(file) => Some(fs::metadata(file).ok()?.permissions().mode() & 0o7777),
            Entry::Memory(_) => Some(0o644),
        }
    }

    /// The files below a folder, as paths relative to it.
    pub(crate) fn below<'a>(&'a self, folder: &str) -> impl Iterator<Item = &'a str> {
        let folder = folder.trim_matches('/');
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        self.paths().filter_map(move |path| path.strip_prefix(prefix.as_str()))
    }
}

fn walk(
    root: &Path,
    below: &str,
    depth: usize,
    files: &mut BTreeMap<String, Entry>,
) -> Result<(), TreeError> {
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
            files.insert(path.clone(), Entry::Disk(root.join(&path)));
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
}
