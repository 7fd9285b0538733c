//! The files of a state tree, as its manifest lists them, and where to read them.

use super::Error;
use super::digests::Digests;
use crate::config::Roots;
use muster_protocol::desired::{
    BASE, ENVIRONMENTS_MAX, Environment, FILE_BYTES_MAX, FILES_MAX, File, Manifest,
};
use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// How deep folders of a tree may nest.
const DEPTH_MAX: usize = 64;

/// A file, and where it is.
pub(super) type Located = (File, PathBuf);

/// The manifest of all environments, and all their files.
pub(super) fn scan(
    roots: &Roots,
    digests: &mut Digests,
) -> Result<(Manifest, Vec<Located>), Error> {
    let mut manifest = Manifest::default();
    let mut all: Vec<Located> = Vec::new();
    for (env, folders) in &roots.0 {
        let found = environment(folders, FILES_MAX - all.len(), digests)?;
        let files = found.iter().map(|(file, _)| file.clone()).collect();
        if env == BASE {
            manifest.files = files;
        } else {
            manifest.environments.push(Environment { name: env.clone(), files });
        }
        all.extend(found);
    }
    if manifest.environments.len() > ENVIRONMENTS_MAX {
        let path = roots.folders().next().cloned().unwrap_or_default();
        return Err(Error::Tree {
            path,
            what: format!("more than {ENVIRONMENTS_MAX} environments"),
        });
    }
    digests.turn();
    Ok((manifest, all))
}

/// The files of one environment, in the order of their paths: an earlier folder's hide a later
/// one's.
fn environment(
    folders: &[PathBuf],
    most: usize,
    digests: &mut Digests,
) -> Result<Vec<Located>, Error> {
    let mut found = BTreeMap::new();
    for root in folders {
        walk(root, root, 0, most, &mut found)?;
    }
    let read = |(name, (path, meta)): (String, (PathBuf, Metadata))| {
        let blob = digests.of(&path, &meta);
        let blob = blob.map_err(|source| Error::Read { path: path.clone(), source })?;
        let mode = meta.permissions().mode() & 0o7777;
        Ok((File { path: name, mode, blob }, path))
    };
    found.into_iter().map(read).collect()
}

/// Paths below the roots, with where they are and what the file system says of them.
type Found = BTreeMap<String, (PathBuf, Metadata)>;

fn walk(
    root: &Path,
    dir: &Path,
    depth: usize,
    most: usize,
    found: &mut Found,
) -> Result<(), Error> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::Read { path, source }
    };
    let tree = |path: &Path, what: String| Err(Error::Tree { path: path.to_owned(), what });
    if depth > DEPTH_MAX {
        return tree(dir, format!("folders nest deeper than {DEPTH_MAX}; is a link a circle?"));
    }
    for entry in std::fs::read_dir(dir).map_err(failed(dir))? {
        let path = entry.map_err(failed(dir))?.path();
        // Links are followed, as Salt's file server does; one that leads nowhere is no file.
        let meta = match std::fs::metadata(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            meta => meta.map_err(failed(&path))?,
        };
        if meta.is_dir() {
            if path.file_name().is_some_and(|name| name == ".git") {
                continue;
            }
            walk(root, &path, depth + 1, most, found)?;
        } else if meta.is_file() {
            if meta.len() > FILE_BYTES_MAX || found.len() >= most {
                let what =
                    format!("more than {FILES_MAX} files, or a file over {FILE_BYTES_MAX} B");
                return tree(&path, what);
            }
            note(root, path, meta, found)?;
        }
    }
    Ok(())
}

fn note(root: &Path, path: PathBuf, meta: Metadata, found: &mut Found) -> Result<(), Error> {
    let below = path.strip_prefix(root).expect("a walk stays below its root");
    let Some(name) = below.to_str().map(str::to_owned) else {
        let what = "its name is not UTF-8; rename it".to_owned();
        return Err(Error::Tree { path, what });
    };
    found.entry(name).or_insert((path, meta));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use muster_protocol::desired::Blob;
    use muster_protocol::id::Hash;
    use std::fs;

    fn roots(envs: &[(&str, &[PathBuf])]) -> Roots {
        Roots(envs.iter().map(|(env, folders)| ((*env).to_owned(), folders.to_vec())).collect())
    }

    fn scan(roots: &Roots) -> Result<(Manifest, Vec<Located>), Error> {
        super::scan(roots, &mut Digests::default())
    }

    #[test]
    fn a_tree_is_listed_by_path_with_the_hashes_of_its_files() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("b/.git")).unwrap();
        fs::write(dir.path().join("b/c.sls"), "x").unwrap();
        fs::write(dir.path().join("b/.git/no"), "x").unwrap();
        fs::write(dir.path().join("a.sls"), "").unwrap();
        std::os::unix::fs::symlink("nowhere", dir.path().join("dangling")).unwrap();
        let (manifest, files) = scan(&roots(&[("base", &[dir.path().to_owned()])])).unwrap();
        let paths: Vec<&str> = manifest.files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["a.sls", "b/c.sls"]);
        assert_eq!(files[0].0.blob, Blob { hash: Hash::of(b""), size: 0 });
    }

    #[test]
    fn environments_are_apart_and_earlier_folders_hide_later_ones() {
        let dir = tempfile::tempdir().unwrap();
        let folder = |name: &str, files: &[&str]| {
            let folder = dir.path().join(name);
            fs::create_dir(&folder).unwrap();
            files.iter().for_each(|file| fs::write(folder.join(file), name).unwrap());
            folder
        };
        let (one, two) = (folder("one", &["a"]), folder("two", &["a", "b"]));
        let dev = folder("dev", &["a"]);
        let (manifest, all) = scan(&roots(&[("dev", &[dev]), ("base", &[one, two])])).unwrap();
        let contents: Vec<(&str, Vec<String>)> = manifest
            .by_environment()
            .map(|(env, files)| {
                let of = |file: &File| {
                    let (_, path) = all.iter().find(|(one, _)| one == file).unwrap();
                    fs::read_to_string(path).unwrap()
                };
                (env, files.iter().map(of).collect())
            })
            .collect();
        let wanted = [("base", vec!["one".into(), "two".into()]), ("dev", vec!["dev".into()])];
        assert_eq!(contents, wanted);
    }

    #[test]
    fn a_link_that_is_a_circle_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(dir.path(), dir.path().join("again")).unwrap();
        assert!(scan(&roots(&[("base", &[dir.path().to_owned()])])).is_err());
    }
}
