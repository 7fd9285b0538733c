//! What the binary asks of a worker's C library: no more than glibc 2.34 (EL 9) has.
//!
//! `MUSTER_BIN_DIR` names a folder with the binary that is to be shipped; that one is judged
//! without mercy. One that was built just for the tests is not, on a machine whose own glibc is so
//! new that the linker takes newer versions of common functions: what ships is built on an older
//! one, or statically (`-C target-feature=+crt-static`).
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;

const GLIBC_MAX: (u32, u32) = (2, 34);
/// From this one on `fmod` and others have a newer version, which a build there takes.
const GLIBC_NEW: (u32, u32) = (2, 38);
/// A symbol that the program does without where it is missing (`VER_FLG_WEAK`).
const WEAK: usize = 2;
/// The kind of a section that lists the versions of needed symbols (`SHT_GNU_verneed`).
const VERSIONS_NEEDED: u32 = 0x6fff_fffe;

/// A little-endian ELF file of 64 bits, as far as this test reads it.
struct Elf(Vec<u8>);

struct Section {
    kind: u32,
    offset: usize,
    link: usize,
    entries: usize,
}

impl Elf {
    fn number<const BYTES: usize>(&self, at: usize) -> usize {
        let bytes = &self.0[at..at + BYTES];
        bytes.iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte))
    }

    fn section(&self, index: usize) -> Section {
        let at = self.number::<8>(0x28) + index * self.number::<2>(0x3a);
        Section {
            kind: u32::try_from(self.number::<4>(at + 4)).unwrap(),
            offset: self.number::<8>(at + 0x18),
            link: self.number::<4>(at + 0x28),
            entries: self.number::<4>(at + 0x2c),
        }
    }

    fn text(&self, at: usize) -> String {
        let bytes = self.0[at..].iter().take_while(|byte| **byte != 0);
        String::from_utf8(bytes.copied().collect()).unwrap()
    }

    /// The versions of symbols that the file needs, as `GLIBC_2.34`.
    fn versions(&self) -> Vec<String> {
        let sections = (0..self.number::<2>(0x3c)).map(|index| self.section(index));
        let mut versions = Vec::new();
        for section in sections.filter(|section| section.kind == VERSIONS_NEEDED) {
            let names = self.section(section.link).offset;
            let mut library = section.offset;
            for _ in 0..section.entries {
                let mut version = library + self.number::<4>(library + 8);
                for _ in 0..self.number::<2>(library + 2) {
                    if self.number::<2>(version + 4) & WEAK == 0 {
                        versions.push(self.text(names + self.number::<4>(version + 8)));
                    }
                    version += self.number::<4>(version + 12);
                }
                library += self.number::<4>(library + 12);
            }
        }
        versions
    }
}

fn glibc(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.strip_prefix("GLIBC_")?.split('.').map(|part| part.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

/// The C library of this machine; none where it is another one.
fn own_glibc() -> Option<(u32, u32)> {
    let output = std::process::Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    glibc(&text.trim().replace("glibc ", "GLIBC_"))
}

#[test]
fn the_agent_runs_on_glibc_2_34_or_is_static() {
    let shipped =
        std::env::var_os("MUSTER_BIN_DIR").map(|dir| PathBuf::from(dir).join("muster-agent"));
    let path = shipped.clone().unwrap_or_else(|| env!("CARGO_BIN_EXE_muster-agent").into());
    let elf = Elf(std::fs::read(&path).unwrap());
    assert_eq!(elf.0[..6], *b"\x7fELF\x02\x01");
    let versions = elf.versions();
    if shipped.is_none() {
        assert_eq!(versions.is_empty(), cfg!(target_feature = "crt-static"), "{versions:?}");
    }
    let newer = |version: &&String| glibc(version).is_some_and(|version| version > GLIBC_MAX);
    let newer: Vec<&String> = versions.iter().filter(newer).collect();
    let excused = shipped.is_none() && own_glibc().is_some_and(|own| own >= GLIBC_NEW);
    assert!(newer.is_empty() || excused, "{} needs {newer:?}", path.display());
}
