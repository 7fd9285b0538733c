//! A file below `/proc` that stays open and is read again and again into one buffer.

use super::Error;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// What is read of one file: 4096 interfaces or mounts.
const BYTES_MAX: usize = 1 << 20;
const BYTES_FIRST: usize = 8 << 10;

/// How the kernel gives a file's text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// All in one read, if the buffer is large enough: it is not asked twice.
    Single,
    /// A page at a time; an empty read is the end.
    List,
}

pub(super) struct ProcFile {
    path: PathBuf,
    shape: Shape,
    file: Option<File>,
    text: Vec<u8>,
}

impl ProcFile {
    /// A file whose text comes in one piece, such as `stat`.
    pub(super) fn single(root: &Path, name: &str) -> ProcFile {
        ProcFile::new(root, name, Shape::Single)
    }

    /// A file with a line per device, such as `net/dev`.
    pub(super) fn list(root: &Path, name: &str) -> ProcFile {
        ProcFile::new(root, name, Shape::List)
    }

    fn new(root: &Path, name: &str, shape: Shape) -> ProcFile {
        ProcFile { path: root.join(name), shape, file: None, text: vec![0; BYTES_FIRST] }
    }

    /// The text as it is now.
    pub(super) fn read(&mut self) -> Result<&[u8], Error> {
        match self.fill() {
            Ok(length) => Ok(&self.text[..length]),
            Err(source) => {
                self.file = None;
                Err(Error::Read { path: self.path.clone(), source })
            }
        }
    }

    /// As `read`, but none if this kernel does not have the file.
    pub(super) fn read_if_there(&mut self) -> Result<Option<&[u8]>, Error> {
        match self.fill() {
            Ok(length) => Ok(Some(&self.text[..length])),
            Err(error) if is_absence(&error) => {
                self.file = None;
                Ok(None)
            }
            Err(source) => Err(Error::Read { path: self.path.clone(), source }),
        }
    }

    pub(super) fn garbled(&self) -> Error {
        Error::Garbled { path: self.path.clone() }
    }

    fn fill(&mut self) -> io::Result<usize> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(File::open(&self.path)?),
        };
        let mut length = 0;
        loop {
            let count = file.read_at(&mut self.text[length..], length as u64)?;
            length += count;
            let full = length == self.text.len();
            if count == 0 || (self.shape == Shape::Single && !full) {
                return Ok(length);
            }
            if full && length >= BYTES_MAX {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            if full {
                self.text.resize(length * 2, 0);
            }
        }
    }
}

/// `psi=0` leaves files that can be opened but not read.
fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::Unsupported)
}

/// The lines of a text that are not empty.
pub(super) fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty())
}

/// The words of a line.
pub(super) fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|&byte| byte == b' ' || byte == b'\t').filter(|word| !word.is_empty())
}

/// A whole number; counters beyond 2^53 lose their last bits.
pub(super) fn number(word: &[u8]) -> Option<f64> {
    let digit = |value: u64, &byte: &u8| {
        let digit = byte.is_ascii_digit().then_some(u64::from(byte & 0x0f))?;
        value.checked_mul(10)?.checked_add(digit)
    };
    if word.is_empty() {
        return None;
    }
    word.iter().try_fold(0, digit).map(|value| value as f64)
}

/// A number with a point.
pub(super) fn decimal(word: &[u8]) -> Option<f64> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

/// The next `N` words as whole numbers.
pub(super) fn numbers<'a, const N: usize>(
    words: &mut impl Iterator<Item = &'a [u8]>,
) -> Option<[f64; N]> {
    let mut all = [0.0; N];
    for value in &mut all {
        *value = number(words.next()?)?;
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_longer_than_the_buffer_is_read_whole() {
        let folder = tempfile::tempdir().unwrap();
        let text = "0123456789abcde\n".repeat(BYTES_FIRST / 8);
        std::fs::write(folder.path().join("a"), &text).unwrap();
        for mut file in [ProcFile::single(folder.path(), "a"), ProcFile::list(folder.path(), "a")] {
            for _ in 0..2 {
                assert_eq!(file.read().unwrap(), text.as_bytes());
            }
        }
    }

    #[test]
    fn a_text_over_the_limit_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a"), vec![b'a'; BYTES_MAX + 1]).unwrap();
        assert!(ProcFile::list(folder.path(), "a").read().is_err());
    }

    #[test]
    fn an_absent_file_is_told_from_an_unreadable_one() {
        let folder = tempfile::tempdir().unwrap();
        let mut absent = ProcFile::single(folder.path(), "absent");
        assert!(absent.read_if_there().unwrap().is_none());
        assert!(absent.read().is_err());
        std::fs::create_dir(folder.path().join("folder")).unwrap();
        assert!(ProcFile::single(folder.path(), "folder").read_if_there().is_err());
    }

    #[test]
    fn numbers_are_digits_only() {
        assert_eq!(number(b"18446744073709551615"), Some(u64::MAX as f64));
        for word in [&b""[..], b"-1", b"1.5", b"18446744073709551616", b"x"] {
            assert_eq!(number(word), None);
        }
    }
}
