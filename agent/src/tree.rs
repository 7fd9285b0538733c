//! A state tree on disk, as its manifest says: made of blobs, every byte checked before it is used.

use crate::blobs::{self, Blobs};
use crate::files;
use muster_protocol::desired::{
    ENVIRONMENTS_MAX, FILE_BYTES_MAX, FILES_MAX, File, Manifest, is_environment, is_tree_path,
};
use muster_protocol::id::Hash;
use std::collections::HashSet;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The bytes of one tree.
const TREE_BYTES_MAX: u64 = 4 << 30;
/// Permission bits that a file of a tree may have.
const MODE_BITS: u32 = 0o777;

/// Why a tree is not made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The manifest breaks a rule.
    #[error("the manifest is refused: {0}")]
    Manifest(String),
    /// A blob is not what it should be.
    #[error("{path} of the state tree is damaged on this disk")]
    Damaged {
        /// The file, below the tree's root.
        path: String,
    },
    /// The disk.
    #[error("making {path}")]
    Disk {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Checks the rules of a manifest that its type does not.
pub(crate) fn check(manifest: &Manifest) -> Result<(), Error> {
    let refuse = |what: String| Err(Error::Manifest(what));
    let (files, environments) = (manifest.all().count(), manifest.environments.len());
    if files > FILES_MAX || environments > ENVIRONMENTS_MAX {
        return refuse(format!(
            "{files} files and {environments} environments, more than {FILES_MAX} and \
             {ENVIRONMENTS_MAX}"
        ));
    }
    if let Some(twice) = repeated(manifest.by_environment().map(|(env, _)| env)) {
        return refuse(format!("the environment {twice:?} stands there twice"));
    }
    for (env, files) in manifest.by_environment() {
        if !is_environment(env) {
            return refuse(format!("{env:?} is no name of an environment"));
        }
        if let Some(twice) = repeated(files.iter().map(|file| file.path.as_str())) {
            return refuse(format!("{twice:?} stands there twice"));
        }
    }
    let mut bytes: u64 = 0;
    for File { path, blob, .. } in manifest.all() {
        if !is_tree_path(path) {
            return refuse(format!("{path:?} does not stay below the tree's root"));
        }
        bytes = bytes.saturating_add(blob.size);
        if blob.size > FILE_BYTES_MAX || bytes > TREE_BYTES_MAX {
            return refuse(format!("{path:?} makes it larger than {TREE_BYTES_MAX} bytes"));
        }
    }
    Ok(())
}

/// What stands in a list more than once.
fn repeated<'a>(mut words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut seen = HashSet::new();
    words.find(|word| !seen.insert(*word))
}

/// A tree on disk: its environments' folders.
pub(crate) type Roots = Vec<(String, PathBuf)>;

/// The folder of trees, each by its manifest's hash.
#[derive(Clone, Debug)]
pub(crate) struct Trees {
    folder: PathBuf,
}

impl Trees {
    /// Opens the folder.
    pub(crate) fn open(folder: PathBuf) -> Result<Trees, files::Error> {
        files::private_folder(&folder)?;
        Ok(Trees { folder })
    }

    /// Makes the tree whose blobs are all there, or checks that it is whole. Blocks.
    pub(crate) fn make(
        &self,
        hash: &Hash,
        manifest: &Manifest,
        blobs: &Blobs,
    ) -> Result<Roots, Error> {
        let folder = self.folder.join(hash.as_str());
        let roots = manifest.by_environment().map(|(env, _)| (env.to_owned(), folder.join(env)));
        let roots = roots.collect();
        if is_whole(&folder, manifest) {
            return Ok(roots);
        }
        let part = self.folder.join(format!("{hash}.part"));
        let disk = |path: &Path| {
            let path = path.to_owned();
            move |source| Error::Disk { path, source }
        };
        for old in [&part, &folder] {
            match fs::remove_dir_all(old) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(disk(old)(error));
                }
                Ok(()) | Err(_) => {}
            }
        }
        fs::create_dir(&part).map_err(disk(&part))?;
        for (env, _) in manifest.by_environment() {
            let root = part.join(env);
            fs::create_dir(&root).map_err(disk(&root))?;
        }
        let files = manifest.by_environment();
        for (env, file) in files.flat_map(|(env, files)| files.iter().map(move |file| (env, file)))
        {
            let path = part.join(env).join(&file.path);
            place(file, &path, blobs).map_err(disk(&path))?;
            if !is_file(&path, file) {
                // The next fetch brings it anew.
                fs::remove_file(blobs.path(&file.blob.hash)).map_err(disk(&path))?;
                return Err(Error::Damaged { path: file.path.clone() });
            }
        }
        fs::rename(&part, &folder).map_err(disk(&folder))?;
        Ok(roots)
    }

    /// Removes all trees but these.
    pub(crate) fn prune(&self, keep: &[&Hash]) {
        for entry in fs::read_dir(&self.folder).into_iter().flatten().filter_map(Result::ok) {
            let name = entry.file_name();
            if keep.iter().any(|hash| name == hash.as_str()) {
                continue;
            }
            if let Err(error) = fs::remove_dir_all(entry.path()) {
                tracing::warn!(path = %entry.path().display(), %error, "an old tree stays");
            }
        }
    }
}

/// Links a blob into the tree; a file with other bits than a blob's is a copy.
fn place(file: &File, path: &Path, blobs: &Blobs) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let blob = blobs.path(&file.blob.hash);
    let mode = file.mode & MODE_BITS;
    if fs::metadata(&blob)?.permissions().mode() & 0o7777 == mode {
        return fs::hard_link(&blob, path);
    }
    fs::copy(&blob, path)?;
    fs::set_permissions(path, Permissions::from_mode(mode))
}

fn is_whole(folder: &Path, manifest: &Manifest) -> bool {
    manifest.by_environment().all(|(env, files)| {
        let root = folder.join(env);
        root.is_dir() && files.iter().all(|file| is_file(&root.join(&file.path), file))
    })
}

fn is_file(path: &Path, file: &File) -> bool {
    let bits = |meta: fs::Metadata| meta.permissions().mode() & 0o7777 == file.mode & MODE_BITS;
    fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file() && bits(meta))
        && blobs::hash_of(path).is_ok_and(|hash| hash == file.blob.hash.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use muster_protocol::desired::{Blob, Environment};
    use tempfile::TempDir;

    struct Disk {
        _dir: TempDir,
        blobs: Blobs,
        trees: Trees,
    }

    fn disk() -> Disk {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(dir.path().join("blobs")).unwrap();
        let trees = Trees::open(dir.path().join("tree")).unwrap();
        Disk { _dir: dir, blobs, trees }
    }

    fn file(disk: &Disk, path: &str, mode: u32, content: &str) -> File {
        let hash = Hash::of(content.as_bytes());
        fs::write(disk.blobs.path(&hash), content).unwrap();
        let blob = Blob { hash, size: content.len() as u64 };
        File { path: path.to_owned(), mode, blob }
    }

    fn of(files: Vec<File>) -> Manifest {
        Manifest { files, ..Manifest::default() }
    }

    fn base(roots: &Roots) -> PathBuf {
        roots[0].1.clone()
    }

    #[test]
    fn environments_have_folders_of_their_own() {
        let disk = disk();
        let (here, there) = (file(&disk, "a", 0o644, "1"), file(&disk, "a", 0o644, "2"));
        let dev = Environment { name: "dev".to_owned(), files: vec![there] };
        let manifest = Manifest { files: vec![here], environments: vec![dev] };
        check(&manifest).unwrap();
        let roots = disk.trees.make(&Hash::of(b"m"), &manifest, &disk.blobs).unwrap();
        let read = |(env, root): &(String, PathBuf)| {
            (env.clone(), fs::read_to_string(root.join("a")).unwrap())
        };
        let read: Vec<_> = roots.iter().map(read).collect();
        assert_eq!(read, [("base".into(), "1".into()), ("dev".into(), "2".into())]);
    }

    #[test]
    fn a_tree_has_the_files_and_bits_of_its_manifest() {
        let disk = disk();
        let files = vec![
            file(&disk, "top.sls", 0o644, "a"),
            file(&disk, "web/files/run.sh", 0o755, "b"),
            file(&disk, "web/files/same.sh", 0o644, "b"),
        ];
        let (hash, manifest) = (Hash::of(b"m"), of(files));
        let roots = disk.trees.make(&hash, &manifest, &disk.blobs).unwrap();
        let folder = base(&roots);
        let script = folder.join("web/files/run.sh");
        assert_eq!(fs::read_to_string(&script).unwrap(), "b");
        assert_eq!(fs::metadata(&script).unwrap().permissions().mode() & 0o777, 0o755);
        assert_eq!(disk.trees.make(&hash, &manifest, &disk.blobs).unwrap(), roots);
        disk.trees.prune(&[]);
        assert!(!folder.exists() && disk.blobs.path(&manifest.files[0].blob.hash).exists());
    }

    #[test]
    fn a_damaged_file_is_replaced_and_a_damaged_blob_fetched_anew() {
        let disk = disk();
        let files = vec![file(&disk, "top.sls", 0o600, "a")];
        let (hash, manifest) = (Hash::of(b"m"), of(files));
        let folder = base(&disk.trees.make(&hash, &manifest, &disk.blobs).unwrap());
        fs::write(folder.join("top.sls"), "b").unwrap();
        disk.trees.make(&hash, &manifest, &disk.blobs).unwrap();
        assert_eq!(fs::read_to_string(folder.join("top.sls")).unwrap(), "a");
        let blob = disk.blobs.path(&manifest.files[0].blob.hash);
        for path in [&folder.join("top.sls"), &blob] {
            fs::write(path, "b").unwrap();
        }
        let damaged = disk.trees.make(&hash, &manifest, &disk.blobs);
        assert!(matches!(damaged, Err(Error::Damaged { .. })), "{damaged:?}");
        assert!(!blob.exists());
    }

    #[test]
    fn a_manifest_that_leaves_its_root_is_refused() {
        let disk = disk();
        for path in ["../etc/passwd", "/etc/passwd", "a/../../b", ""] {
            let manifest = of(vec![file(&disk, path, 0o644, "a")]);
            assert!(check(&manifest).is_err(), "{path}");
        }
        for env in ["..", "a/b", "base", ""] {
            let environments = vec![Environment { name: env.to_owned(), files: Vec::new() }];
            let manifest = Manifest { environments, ..Manifest::default() };
            assert!(check(&manifest).is_err(), "{env}");
        }
        let twice = vec![file(&disk, "a", 0o644, "a"), file(&disk, "a", 0o644, "b")];
        assert!(check(&of(twice)).is_err());
        let mut huge = file(&disk, "a", 0o644, "a");
        huge.blob.size = FILE_BYTES_MAX + 1;
        assert!(check(&of(vec![huge])).is_err());
    }
}
