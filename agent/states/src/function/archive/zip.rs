//! Zip archives: what is in them, and how it gets out.

use std::fs::{self, File, Permissions};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};

use flate2::read::DeflateDecoder;

use super::contents::Contents;
use crate::host::files::TEMPORARY;

/// Names that an archive may hold.
const NAMES_MAX: u64 = 1_000_000;
/// Where the end of an archive is looked for: a comment may follow it.
const END_MAX: u64 = 22 + 65_535;
/// Bytes of a link's target.
const TARGET_MAX: u64 = 4096;

/// An entry as the archive's directory has it.
pub(super) struct Entry {
    pub(super) name: String,
    /// The Unix mode, or 0 if the archive has none.
    mode: u32,
    method: u16,
    packed: u64,
    size: u64,
    at: u64,
    crc: u32,
    pub(super) encrypted: bool,
}

impl Entry {
    fn is_link(&self) -> bool {
        self.mode & 0o170_000 == 0o120_000
    }

    fn is_dir(&self) -> bool {
        self.mode & 0o170_000 == 0o040_000
    }
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the zip archive is damaged: {what}"))
}

/// Little-endian numbers out of a record.
struct Record<'d>(&'d [u8]);

impl Record<'_> {
    fn u16(&self, at: usize) -> io::Result<u16> {
        let bytes = self.0.get(at..at + 2).and_then(|bytes| bytes.try_into().ok());
        bytes.map(u16::from_le_bytes).ok_or_else(|| damaged("it ends too early"))
    }

    fn u32(&self, at: usize) -> io::Result<u32> {
        let bytes = self.0.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        bytes.map(u32::from_le_bytes).ok_or_else(|| damaged("it ends too early"))
    }

    fn u64(&self, at: usize) -> io::Result<u64> {
        let bytes = self.0.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
        bytes.map(u64::from_le_bytes).ok_or_else(|| damaged("it ends too early"))
    }
}

/// The entries of an archive.
pub(super) fn entries(archive: &Path) -> io::Result<Vec<Entry>> {
    let mut file = File::open(archive)?;
    let (at, size, count) = directory(&mut file)?;
    let length = file.metadata()?.len();
    if count > NAMES_MAX || at.saturating_add(size) > length {
        return Err(damaged("its directory does not fit into it"));
    }
    file.seek(SeekFrom::Start(at))?;
    let mut data = Vec::new();
    file.take(size).read_to_end(&mut data)?;
    let mut out = Vec::new();
    let mut rest = data.as_slice();
    for _ in 0..count {
        let record = Record(rest);
        if record.u32(0)? != 0x0201_4b50 {
            return Err(damaged("its directory is"));
        }
        let (name, extra) = (usize::from(record.u16(28)?), usize::from(record.u16(30)?));
        let end = 46 + name + extra + usize::from(record.u16(32)?);
        out.push(entry(&record, name, extra)?);
        rest = rest.get(end..).ok_or_else(|| damaged("it ends too early"))?;
    }
    Ok(out)
}

fn entry(record: &Record<'_>, name: usize, extra: usize) -> io::Result<Entry> {
    let bytes = record.0.get(46..46 + name).ok_or_else(|| damaged("it ends too early"))?;
    let more = record.0.get(46 + name..46 + name + extra).unwrap_or_default();
    let mut found = Entry {
        name: String::from_utf8_lossy(bytes).into_owned(),
        mode: record.u32(38)? >> 16,
        method: record.u16(10)?,
        crc: record.u32(16)?,
        packed: record.u32(20)?.into(),
        size: record.u32(24)?.into(),
        at: record.u32(42)?.into(),
        encrypted: record.u16(8)? & 1 != 0,
    };
    wide(&mut found, more)?;
    Ok(found)
}

/// Numbers of 64 bits in an extra field.
fn wide(entry: &mut Entry, mut extra: &[u8]) -> io::Result<()> {
    while extra.len() >= 4 {
        let record = Record(extra);
        let (id, len) = (record.u16(0)?, usize::from(record.u16(2)?));
        if id == 1 {
            let mut at = 4;
            for field in [&mut entry.size, &mut entry.packed, &mut entry.at] {
                if *field == u64::from(u32::MAX) {
                    *field = record.u64(at)?;
                    at += 8;
                }
            }
        }
        extra = extra.get(4 + len..).unwrap_or_default();
    }
    Ok(())
}

/// Where the directory starts, how long it is and how many entries it has.
fn directory(file: &mut File) -> io::Result<(u64, u64, u64)> {
    let length = file.metadata()?.len();
    let from = length.saturating_sub(END_MAX);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    file.take(END_MAX).read_to_end(&mut tail)?;
    let none = || io::Error::new(io::ErrorKind::InvalidData, "it is not a ZIP file");
    let at = tail.windows(4).rposition(|bytes| bytes == b"PK\x05\x06").ok_or_else(none)?;
    let record = Record(&tail[at..]);
    let (count, size, start) = (record.u16(10)?, record.u32(12)?, record.u32(16)?);
    if count != u16::MAX && start != u32::MAX && size != u32::MAX {
        return Ok((start.into(), size.into(), count.into()));
    }
    let locator = at.checked_sub(20).ok_or_else(none)?;
    let record = Record(&tail[locator..]);
    if record.u32(0)? != 0x0706_4b50 {
        return Ok((start.into(), size.into(), count.into()));
    }
    file.seek(SeekFrom::Start(record.u64(8)?))?;
    let mut wide = [0; 56];
    file.read_exact(&mut wide)?;
    let record = Record(&wide);
    Ok((record.u64(48)?, record.u64(40)?, record.u64(32)?))
}

/// What the archive holds, in Salt's way of listing: a file's own folder counts as listed.
pub(super) fn contents(entries: &[Entry]) -> Contents {
    let mut out = Contents::default();
    let mut dirs = std::collections::BTreeSet::new();
    for entry in entries {
        out.names.push(entry.name.clone());
        if entry.is_link() {
            out.links.push(entry.name.clone());
        } else if entry.is_dir() {
            dirs.insert(entry.name.clone());
        } else {
            out.files.push(entry.name.clone());
        }
    }
    for file in out.files.clone() {
        if let Some((folder, _)) = file.rsplit_once('/') {
            dirs.insert(format!("{folder}/"));
        }
    }
    out.files.retain(|file| !dirs.contains(file));
    out.dirs = dirs.into_iter().collect();
    out
}

/// Unpacks all entries; modes are the archive's, if it has any and `modes` is set.
pub(super) fn extract(archive: &Path, entries: &[Entry], to: &Path, modes: bool) -> io::Result<()> {
    let mut file = BufReader::new(File::open(archive)?);
    for entry in entries {
        let Some(place) = inside(to, &entry.name) else { continue };
        if entry.name.ends_with('/') {
            fs::create_dir_all(&place)?;
        } else {
            fs::create_dir_all(place.parent().unwrap_or(to))?;
            unpack(&mut file, entry, &place)?;
        }
        let mode = entry.mode & 0o7777;
        if modes && mode != 0 && !entry.is_link() {
            fs::set_permissions(&place, Permissions::from_mode(mode))?;
        }
    }
    Ok(())
}

/// Where a name leads below a folder: never out of it.
fn inside(to: &Path, name: &str) -> Option<PathBuf> {
    let mut place = to.to_path_buf();
    for part in Path::new(name).components() {
        if let Component::Normal(part) = part {
            place.push(part);
            // A link that an entry before made must lead nowhere for those that follow.
            if fs::symlink_metadata(&place).is_ok_and(|meta| meta.is_symlink()) {
                fs::remove_file(&place).ok()?;
            }
        }
    }
    (place != to).then_some(place)
}

fn unpack(file: &mut BufReader<File>, entry: &Entry, place: &Path) -> io::Result<()> {
    file.seek(SeekFrom::Start(entry.at))?;
    let mut header = [0; 30];
    file.read_exact(&mut header)?;
    let record = Record(&header);
    if record.u32(0)? != 0x0403_4b50 {
        return Err(damaged(&format!("{} is", entry.name)));
    }
    let skip = u64::from(record.u16(26)?) + u64::from(record.u16(28)?);
    io::copy(&mut file.by_ref().take(skip), &mut io::sink())?;
    let data = file.by_ref().take(entry.packed);
    let mut data: Box<dyn Read + '_> = match entry.method {
        0 => Box::new(data),
        8 => Box::new(DeflateDecoder::new(data)),
        other => {
            let told =
                format!("{} is packed by method {other}: use_cmd_unzip may know it", entry.name);
            return Err(io::Error::new(io::ErrorKind::Unsupported, told));
        }
    };
    if entry.is_link() {
        let mut target = String::new();
        data.take(TARGET_MAX).read_to_string(&mut target)?;
        return symlink(target, place);
    }
    let folder = place.parent().unwrap_or(place);
    let mut temp = tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(folder)?;
    // Not more than the directory says: an archive cannot fill the disk unseen.
    let mut crc = flate2::Crc::new();
    let mut buffer = [0; 16 << 10];
    let mut written = 0;
    loop {
        let read = data.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        written += read as u64;
        if written > entry.size {
            return Err(damaged(&format!("{} is longer than it says", entry.name)));
        }
        crc.update(&buffer[..read]);
        temp.write_all(&buffer[..read])?;
    }
    if written != entry.size || crc.sum() != entry.crc {
        return Err(damaged(&format!("the checksum of {} is wrong", entry.name)));
    }
    temp.as_file().set_permissions(Permissions::from_mode(0o644))?;
    temp.persist(place).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An archive of one stored file.
    fn archive(name: &str, data: &[u8], mode: u32) -> Vec<u8> {
        let mut crc = flate2::Crc::new();
        crc.update(data);
        let (sum, len) =
            (crc.sum().to_le_bytes(), u32::try_from(data.len()).unwrap().to_le_bytes());
        let name_len = u16::try_from(name.len()).unwrap().to_le_bytes();
        let mut common = vec![20, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        for part in [&sum[..], &len, &len, &name_len, &[0, 0]] {
            common.extend_from_slice(part);
        }
        let mut out = b"PK\x03\x04".to_vec();
        out.extend(&common);
        out.extend(name.as_bytes());
        out.extend(data);
        let start = u32::try_from(out.len()).unwrap().to_le_bytes();
        let mut entry = b"PK\x01\x02\x14\x03".to_vec();
        entry.extend(&common);
        entry.extend([0; 6]);
        entry.extend((mode << 16).to_le_bytes());
        entry.extend([0; 4]);
        entry.extend(name.as_bytes());
        out.extend(&entry);
        out.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
        out.extend(u32::try_from(entry.len()).unwrap().to_le_bytes());
        out.extend(start);
        out.extend([0, 0]);
        out
    }

    #[test]
    fn an_archive_is_unpacked_inside_its_folder_only() {
        let dir = tempfile::tempdir().unwrap();
        let (zip, to) = (dir.path().join("a.zip"), dir.path().join("to"));
        fs::create_dir(&to).unwrap();
        fs::write(&zip, archive("../../d/f", b"hello", 0o100_640)).unwrap();
        let found = entries(&zip).unwrap();
        assert_eq!(contents(&found).files, ["../../d/f"]);
        extract(&zip, &found, &to, true).unwrap();
        assert_eq!(fs::read(to.join("d/f")).unwrap(), b"hello");
        assert_eq!(fs::metadata(to.join("d/f")).unwrap().permissions().mode() & 0o777, 0o640);
    }

    #[test]
    fn damage_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let zip = dir.path().join("a.zip");
        let whole = archive("f", b"hello", 0);
        for cut in [0, 10, 40] {
            fs::write(&zip, &whole[..cut]).unwrap();
            assert!(entries(&zip).is_err(), "{cut}");
        }
        let mut wrong = whole.clone();
        let at = wrong.windows(5).position(|bytes| bytes == b"hello").unwrap();
        wrong[at] = b'j';
        fs::write(&zip, &wrong).unwrap();
        assert!(extract(&zip, &entries(&zip).unwrap(), dir.path(), true).is_err());
        assert!(!dir.path().join("f").exists());
    }
}
