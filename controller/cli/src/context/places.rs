//! Where contexts are: `~/.config/muster/contexts/NAME.yaml`; beside that folder is `context.yaml`,
//! a link to the current one. A plain file there is a current context without a name.

use crate::failure::{Failure, OrNext, Result};
use anyhow::Context as _;
use muster_protocol::id::ClusterName;
use std::fmt;
use std::fs::DirBuilder;
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Where `muster init` leaves the first one.
const SYSTEM_FILE: &str = "/etc/muster/admin.yaml";
const FOLDER: &str = "contexts";
const CURRENT: &str = "context.yaml";
const ENDING: &str = ".yaml";
/// Contexts that are listed.
const CONTEXTS_MAX: usize = 1000;
const WRITE: &str = "see that you may write there";

/// A context's name: what a cluster's may be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name(ClusterName);

impl FromStr for Name {
    type Err = String;
    fn from_str(text: &str) -> std::result::Result<Name, String> {
        let name = text.parse::<ClusterName>().map(Name);
        name.map_err(|error| error.to_string().replace("cluster name", "name of a context"))
    }
}

impl From<ClusterName> for Name {
    fn from(name: ClusterName) -> Name {
        Name(name)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(to)
    }
}

/// One person's places.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    /// `~/.config/muster`.
    home: PathBuf,
    system: PathBuf,
}

impl Places {
    /// Those of whoever runs this.
    pub(crate) fn usual() -> Places {
        let config = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from);
        let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
        let config = config.filter(|path| path.is_absolute()).unwrap_or(home.join(".config"));
        Places { home: config.join("muster"), system: SYSTEM_FILE.into() }
    }

    /// Those below a folder, for tests.
    #[cfg(test)]
    pub(crate) fn below(folder: &Path) -> Places {
        Places { home: folder.join("muster"), system: folder.join("system.yaml") }
    }

    /// Where a context of that name is, or would be.
    pub(crate) fn file(&self, name: &Name) -> PathBuf {
        self.home.join(FOLDER).join(format!("{name}{ENDING}"))
    }

    /// Where the context of that name is.
    pub(crate) fn existing(&self, name: &Name) -> Result<PathBuf> {
        let file = self.file(name);
        if is_there(&file) { Ok(file) } else { Err(no_context(name)) }
    }

    /// The place of the current one: a link, unless somebody put a file there.
    pub(crate) fn current(&self) -> PathBuf {
        self.home.join(CURRENT)
    }

    /// The files that are looked for if none is named, the first one first.
    pub(crate) fn unnamed(&self) -> [PathBuf; 2] {
        [self.current(), self.system.clone()]
    }

    /// The first of these that exists.
    pub(crate) fn find(&self) -> Option<PathBuf> {
        // A file that is there but may not be looked at is named by the error of reading it.
        self.unnamed().into_iter().find(|file| is_there(file))
    }

    /// The file of a context that was typed as a name or as a file.
    pub(crate) fn resolve(&self, typed: &Path) -> Result<PathBuf> {
        let name = typed.to_str().and_then(|text| text.parse::<Name>().ok());
        let Some(name) = name else { return Ok(typed.to_owned()) };
        let file = self.file(&name);
        match (is_there(&file), is_there(typed)) {
            (true, _) => Ok(file),
            (false, true) => Ok(typed.to_owned()),
            (false, false) => Err(no_context(&name)),
        }
    }

    /// All names, in their order.
    pub(crate) fn names(&self) -> Result<Vec<Name>> {
        let folder = self.home.join(FOLDER);
        let entries = match std::fs::read_dir(&folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.with_context(|| format!("reading {}", folder.display())),
        };
        let entries = entries.or_next("see that it is yours")?;
        let name = |entry: std::fs::DirEntry| {
            entry.file_name().to_str()?.strip_suffix(ENDING)?.parse::<Name>().ok()
        };
        let names = entries.filter_map(|entry| entry.ok().and_then(name));
        let mut names: Vec<Name> = names.take(CONTEXTS_MAX).collect();
        names.sort();
        Ok(names)
    }

    /// The name of the current one, if it has one.
    pub(crate) fn current_name(&self) -> Option<Name> {
        let target = std::fs::read_link(self.current()).ok()?;
        if target.parent() != Some(Path::new(FOLDER)) {
            return None;
        }
        target.file_name()?.to_str()?.strip_suffix(ENDING)?.parse().ok()
    }

    /// Makes the folder, 0700, if it is missing.
    pub(crate) fn make(&self) -> Result<()> {
        let folder = self.home.join(FOLDER);
        let made = std::fs::create_dir_all(&self.home)
            .and_then(|()| DirBuilder::new().recursive(true).mode(0o700).create(&folder));
        made.with_context(|| format!("making {}", folder.display())).or_next(WRITE)
    }

    /// Makes one the current one; a file that holds a context of its own is not replaced.
    pub(crate) fn choose(&self, name: &Name) -> Result<()> {
        self.existing(name)?;
        let current = self.current();
        if is_there(&current) && !current.is_symlink() {
            let shown = current.display();
            let what = format!("{shown} is a file of its own, not a link to a chosen context");
            let next = format!("give it a name first: muster context add {shown} --name NAME");
            return Err(Failure::say(what, next));
        }
        let link = || {
            let new = self.home.join(format!(".{CURRENT}.{}", std::process::id()));
            symlink(Path::new(FOLDER).join(format!("{name}{ENDING}")), &new)?;
            std::fs::rename(&new, &current)
        };
        link().with_context(|| format!("linking {}", current.display())).or_next(WRITE)
    }

    /// Removes one; says whether it was the current one, which then is none.
    pub(crate) fn remove(&self, name: &Name) -> Result<bool> {
        let was_current = self.current_name().as_ref() == Some(name);
        let file = self.file(name);
        match std::fs::remove_file(&file) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(no_context(name)),
            other => {
                other.with_context(|| format!("removing {}", file.display())).or_next(WRITE)?
            }
        }
        if was_current {
            let link = std::fs::remove_file(self.current());
            link.with_context(|| format!("removing {}", self.current().display()))
                .or_next(WRITE)?;
        }
        Ok(was_current)
    }
}

fn is_there(file: &Path) -> bool {
    !file.symlink_metadata().is_err_and(|error| error.kind() == ErrorKind::NotFound)
}

fn no_context(name: &Name) -> Failure {
    let next = "see `muster context list`, or add one: muster context add FILE";
    Failure::say(format!("there is no context {name}"), next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn with(names: &[&str]) -> (tempfile::TempDir, Places) {
        let folder = tempfile::tempdir().unwrap();
        let places = Places::below(folder.path());
        places.make().unwrap();
        names.iter().for_each(|each| std::fs::write(places.file(&name(each)), each).unwrap());
        (folder, places)
    }

    #[test]
    fn the_current_one_is_a_link_that_follows_the_choice() {
        let (_folder, places) = with(&["b", "a"]);
        assert_eq!(places.names().unwrap(), [name("a"), name("b")]);
        let mode = std::fs::metadata(places.home.join(FOLDER)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        assert_eq!((places.find(), places.current_name()), (None, None));
        for each in ["a", "b", "b"] {
            places.choose(&name(each)).unwrap();
            assert_eq!(places.current_name(), Some(name(each)));
            assert_eq!(std::fs::read_to_string(places.find().unwrap()).unwrap(), each);
        }
        assert!(places.choose(&name("c")).unwrap_err().text().contains("no context c"));
        assert!(!places.remove(&name("a")).unwrap());
        assert!(places.remove(&name("b")).unwrap());
        assert_eq!((places.find(), places.names().unwrap().len()), (None, 0));
        assert!(places.remove(&name("b")).is_err());
    }

    /// Guards: the check of a plain file in [`Places::choose`].
    #[test]
    fn a_file_of_its_own_is_not_replaced_by_a_link() {
        let (_folder, places) = with(&["a"]);
        std::fs::write(places.current(), "secret").unwrap();
        let failure = places.choose(&name("a")).unwrap_err();
        assert!(failure.next().contains("muster context add"), "{failure:?}");
        assert_eq!(std::fs::read_to_string(places.current()).unwrap(), "secret");
    }

    #[test]
    fn what_is_typed_is_a_name_if_there_is_one_else_a_file() {
        let (folder, places) = with(&["a"]);
        assert_eq!(places.resolve(Path::new("a")).unwrap(), places.file(&name("a")));
        for file in ["a.yaml", "./a", "/x/a", "A"] {
            assert_eq!(places.resolve(Path::new(file)).unwrap(), Path::new(file));
        }
        assert!(places.resolve(Path::new("b")).is_err());
        assert_eq!(places.find(), None);
        std::fs::write(folder.path().join("system.yaml"), "").unwrap();
        assert_eq!(places.find(), Some(folder.path().join("system.yaml")));
    }

    #[test]
    fn a_name_leads_out_of_no_folder() {
        for text in ["", "..", "a/b", "a.b", "../a", ".a", "a b"] {
            assert!(text.parse::<Name>().is_err(), "{text:?}");
        }
        assert!("".parse::<Name>().unwrap_err().contains("name of a context"));
    }
}
