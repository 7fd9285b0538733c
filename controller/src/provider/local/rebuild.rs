//! Rebuilds a server in place: what runs ends, and a fresh folder takes the old one's place.
//!
//! The two folders change places in one step, so the server is there at every moment, as the old
//! one or as the new one. A controller that is killed in between leaves a server that is `Stopped`.

use super::{Local, NEW, removal};
use crate::provider::{Error, ErrorKind, ServerId, ServerSpec};
use crate::sandbox::record::Folder;
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use std::io;
use std::path::Path;

impl Local {
    pub(super) fn rebuild_now(&self, id: &ServerId, spec: &ServerSpec) -> Result<(), Error> {
        let doing = format!("rebuilding server {id}");
        self.check(&doing, spec)?;
        let folder = self.own(id, &doing)?;
        let failed =
            |error: io::Error| Error::new(ErrorKind::Transient, doing.as_str()).caused_by(error);
        let fresh = Folder::new(self.config.folder.join(format!("{NEW}{id}")));
        // One may be left of a rebuild that was broken off.
        removal::remove_tree(fresh.path()).map_err(failed)?;
        let record = self.record(id, spec);
        fresh.make(&record, spec.user_data.expose()).map_err(failed)?;
        removal::end_all(&folder).map_err(failed)?;
        exchange(fresh.path(), folder.path()).map_err(failed)?;
        self.start(&folder).map_err(failed)?;
        removal::remove_tree(fresh.path()).map_err(failed)
    }

    /// The folder of a server that is there, and of this cluster.
    fn own(&self, id: &ServerId, doing: &str) -> Result<Folder, Error> {
        let gone = || Error::new(ErrorKind::Gone, format!("{doing}: there is no such server"));
        let folder = self.folder(id).ok_or_else(gone)?;
        match folder.spec() {
            Ok(spec) if spec.cluster == self.config.cluster => Ok(folder),
            Ok(spec) => {
                let text = format!("{doing}: it is of cluster {}", spec.cluster);
                Err(Error::new(ErrorKind::Conflict, text))
            }
            Err(error) if super::is_missing(&error) => Err(gone()),
            Err(error) => Err(Error::new(ErrorKind::Transient, doing).caused_by(error)),
        }
    }
}

fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    renameat2(AT_FDCWD, one, AT_FDCWD, other, RenameFlags::RENAME_EXCHANGE)?;
    Ok(())
}
