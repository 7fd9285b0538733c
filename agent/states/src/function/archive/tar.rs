//! The names in a tar archive, read from its headers; other programs only decompress.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use super::contents::Contents;
use crate::function::Context;
use crate::host::command::{Exec, run};

/// Names that an archive may hold.
const NAMES_MAX: usize = 1_000_000;
/// Bytes of one long name, or of one extended header.
const NAME_MAX: u64 = 1 << 20;
const BLOCK: usize = 512;

/// How a tar file is compressed, by its first bytes.
fn compressor(start: &[u8]) -> Option<&'static str> {
    const MAGIC: [(&[u8], &str); 5] = [
        (b"\x1f\x8b", "gzip"),
        (b"BZh", "bzip2"),
        (b"\xfd7zXZ\0", "xz"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"\x5d\0\0", "xz --format=lzma"),
    ];
    MAGIC.iter().find(|(magic, _)| start.starts_with(magic)).map(|(_, name)| *name)
}

/// Lists an archive; `decompress` is a command that writes the plain tar to its output. As in Salt
/// it is run for what cannot be read without it only.
pub(super) fn list(
    ctx: &Context<'_>,
    archive: &Path,
    decompress: Option<&str>,
) -> Result<Contents, String> {
    match (by_itself(ctx, archive), decompress) {
        // The words of a list option are the operator's own; the paths are passed beside them.
        (Err(_), Some(own)) => decompressed(ctx, archive, &format!("{own} \"$0\" > \"$1\"")),
        (listed, _) => listed,
    }
}

/// Lists an archive of a kind that is known by how it begins.
fn by_itself(ctx: &Context<'_>, archive: &Path) -> Result<Contents, String> {
    let unable = |error: io::Error| unable(archive, &error);
    let mut start = [0; 6];
    let read = File::open(archive).and_then(|mut file| file.read(&mut start)).map_err(unable)?;
    let open = || File::open(archive).map(BufReader::new).map_err(unable);
    match compressor(&start[..read]) {
        None => names(open()?).map_err(unable),
        Some("gzip") => names(BufReader::new(MultiGzDecoder::new(open()?))).map_err(unable),
        Some(command) => decompressed(ctx, archive, &format!("{command} -dc -- \"$0\" > \"$1\"")),
    }
}

/// Lists what a command line makes of an archive, `$0`, in a file, `$1`.
fn decompressed(ctx: &Context<'_>, archive: &Path, line: &str) -> Result<Contents, String> {
    let unable = |error: io::Error| unable(archive, &error);
    let plain = tempfile::NamedTempFile::new().map_err(unable)?;
    let mut exec = Exec::shell("/bin/sh", line);
    let path = |path: &Path| path.to_string_lossy().into_owned();
    exec.argv.extend([path(archive), path(plain.path())]);
    let output = run(ctx.host, &exec, ctx.cancel).map_err(|error| error.to_string())?;
    if output.code != 0 {
        let shown = archive.display();
        return Err(format!("Failed to decompress {shown}: {}", output.stderr.trim()));
    }
    let file = File::open(plain.path()).map_err(unable)?;
    names(BufReader::new(file)).map_err(unable)
}

fn unable(archive: &Path, error: &io::Error) -> String {
    let shown = archive.display();
    tracing::debug!(%error, archive = %shown, "an archive cannot be listed");
    format!(
        "Unable to list contents of {shown}. If this is an XZ-compressed tar archive, install XZ \
         Utils to enable listing its contents. If it is compressed using something other than XZ, \
         it may be necessary to specify CLI options to decompress the archive. See the \
         documentation for details. Additional info follows:\n\narchive location:\n    {shown}"
    )
}

/// Reads headers and skips what they are for.
fn names(mut from: impl Read) -> io::Result<Contents> {
    let mut out = Contents::default();
    let mut long: Option<String> = None;
    let mut first = true;
    let mut block = [0; BLOCK];
    loop {
        match from.read_exact(&mut block) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && !first => break,
            other => other?,
        }
        if block.iter().all(|byte| *byte == 0) {
            break;
        }
        if !is_header(&block) {
            return Err(io::Error::other("it is no tar archive, or it is damaged"));
        }
        first = false;
        let size = number(&block[124..136])?;
        match block[156] {
            b'L' => {
                let data = text(&mut from, size)?;
                long = Some(data.trim_end_matches('\0').to_owned());
                continue;
            }
            b'x' => {
                long = pax_path(&text(&mut from, size)?).or(long);
                continue;
            }
            b'K' | b'g' => {
                skip(&mut from, size)?;
                continue;
            }
            _ => {}
        }
        let name = long.take().unwrap_or_else(|| own_name(&block));
        let kind = block[156];
        let mut extended = kind == b'S' && block[482] != 0;
        while extended {
            from.read_exact(&mut block)?;
            extended = block[504] != 0;
        }
        // Links and devices have no data, whatever their size says.
        if !(b'1'..=b'6').contains(&kind) {
            skip(&mut from, size)?;
        }
        add(&mut out, &name, kind)?;
    }
    Ok(out)
}

fn add(out: &mut Contents, name: &str, kind: u8) -> io::Result<()> {
    if out.names.len() >= NAMES_MAX {
        return Err(io::Error::other(format!("it holds more than {NAMES_MAX} names")));
    }
    let bare = name.trim_end_matches('/').to_owned();
    match kind {
        b'2' => out.links.push(bare.clone()),
        b'5' => out.dirs.push(format!("{bare}/")),
        b'0' | 0 if name.ends_with('/') => out.dirs.push(format!("{bare}/")),
        _ => out.files.push(bare.clone()),
    }
    out.names.push(bare);
    Ok(())
}

fn is_header(block: &[u8; BLOCK]) -> bool {
    let sum: u32 = block
        .iter()
        .enumerate()
        .map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u32::from(*byte) })
        .sum();
    number(&block[148..156]).is_ok_and(|told| told == u64::from(sum))
}

/// An octal number, or one in binary with its first bit set.
fn number(field: &[u8]) -> io::Result<u64> {
    if field[0] & 0x80 != 0 {
        return Ok(field[1..].iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte)));
    }
    let text: String = field.iter().map(|byte| char::from(*byte)).collect();
    let digits = text.trim_matches([' ', '\0']);
    if digits.is_empty() {
        return Ok(0);
    }
    u64::from_str_radix(digits, 8).map_err(|_| io::Error::other("a number in it is damaged"))
}

fn own_name(block: &[u8; BLOCK]) -> String {
    let field = |from: usize, to: usize| {
        let bytes = block[from..to].split(|byte| *byte == 0).next().unwrap_or_default();
        String::from_utf8_lossy(bytes).into_owned()
    };
    let (name, prefix) = (field(0, 100), field(345, 500));
    if &block[257..262] == b"ustar" && &block[262..264] != b" \0" && !prefix.is_empty() {
        format!("{prefix}/{name}")
    } else {
        name
    }
}

/// The path in an extended header: `27 path=some/long/name\n`.
fn pax_path(data: &str) -> Option<String> {
    let mut rest = data;
    while let Some((len, _)) = rest.split_once(' ') {
        let len: usize = len.parse().ok()?;
        let record = rest.get(..len)?;
        let (_, pair) = record.split_once(' ')?;
        if let Some(path) = pair.strip_prefix("path=") {
            return Some(path.trim_end_matches('\n').to_owned());
        }
        rest = &rest[len..];
    }
    None
}

fn padded(size: u64) -> u64 {
    size.div_ceil(BLOCK as u64).saturating_mul(BLOCK as u64)
}

fn text(from: &mut impl Read, size: u64) -> io::Result<String> {
    if size > NAME_MAX {
        return Err(io::Error::other("a name in it is too long"));
    }
    let mut data = Vec::new();
    from.by_ref().take(padded(size)).read_to_end(&mut data)?;
    data.truncate(usize::try_from(size).unwrap_or(0));
    Ok(String::from_utf8_lossy(&data).into_owned())
}

fn skip(from: &mut impl Read, size: u64) -> io::Result<()> {
    let wanted = padded(size);
    let skipped = io::copy(&mut from.by_ref().take(wanted), &mut io::sink())?;
    if skipped < size {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it ends too early"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(name: &str, kind: u8, size: u64) -> [u8; BLOCK] {
        let mut block = [0; BLOCK];
        block[..name.len()].copy_from_slice(name.as_bytes());
        block[124..135].copy_from_slice(format!("{size:011o}").as_bytes());
        block[156] = kind;
        block[257..263].copy_from_slice(b"ustar\0");
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..154].copy_from_slice(format!("{sum:06o}").as_bytes());
        block[154] = 0;
        block
    }

    #[test]
    fn names_are_read_from_headers() {
        let long = "x".repeat(150);
        let mut data = Vec::new();
        data.extend(header("d/", b'5', 0));
        data.extend(header("d/f", b'0', 3));
        data.extend([0; BLOCK]);
        data.extend(header("d/l", b'2', 0));
        data.extend(header("././@LongLink", b'L', 151));
        let mut padded = long.clone().into_bytes();
        padded.resize(BLOCK, 0);
        data.extend(padded);
        data.extend(header("xxx", b'0', 0));
        data.extend([0; 2 * BLOCK]);
        let found = names(data.as_slice()).unwrap();
        assert_eq!(found.dirs, ["d/"]);
        assert_eq!(found.files, ["d/f".to_owned(), long]);
        assert_eq!(found.links, ["d/l"]);
        assert_eq!(found.names.len(), 4);
    }

    #[test]
    fn what_is_no_archive_is_an_error() {
        assert!(names(&[1; 2 * BLOCK][..]).is_err());
        assert!(names(&b"short"[..]).is_err());
        let mut cut = header("f", b'0', 9000).to_vec();
        cut.extend([7; 10]);
        assert!(names(cut.as_slice()).is_err());
        assert_eq!(pax_path("27 path=some/long/name/xyz\n").as_deref(), Some("some/long/name/xyz"));
    }
}
