//! The file that a state is about: read once, changed in memory step by step, written once.

use std::io;

use serde_json::{Map, Value};

use super::document::{Item, New, Section};
use crate::function::Context;
use crate::function::args::python_error;
use crate::host::files::{Access, replace_keeping};
use crate::outcome::Changes;
use crate::regex::{byte_text, text_bytes};

/// How the file's text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Utf8,
    Latin1,
}

impl Encoding {
    /// An encoding by Python's name.
    pub(super) fn of(name: &str) -> Option<Encoding> {
        match name.to_lowercase().replace('_', "-").as_str() {
            "utf-8" | "utf8" | "ascii" | "us-ascii" => Some(Encoding::Utf8),
            "latin-1" | "latin1" | "iso-8859-1" | "iso8859-1" => Some(Encoding::Latin1),
            _ => None,
        }
    }
}

/// An INI file; `None` is one that is not there.
pub(super) struct File<'a> {
    ctx: &'a Context<'a>,
    encoding: Encoding,
    separator: String,
    old: Option<String>,
    new: Option<String>,
}

impl<'a> File<'a> {
    /// Reads it. A dry run takes one that cannot be read as empty, as Salt's does.
    pub(super) fn open(ctx: &'a Context<'a>) -> Result<File<'a>, String> {
        let name = ctx.name();
        let encoding = ctx.text("encoding");
        let encoding = encoding.and_then(|name| Encoding::of(&name)).unwrap_or(Encoding::Utf8);
        let old = match ctx.host.read(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(_) if ctx.test => None,
            Err(error) => {
                let words = python_error(&error, name);
                return Err(format!("Unable to open file '{name}'. Exception: {words}"));
            }
            Ok(data) if encoding == Encoding::Latin1 => Some(byte_text(&data)),
            Ok(data) => Some(
                String::from_utf8(data)
                    .map_err(|_| format!("'utf-8' codec can't decode the bytes of {name}"))?,
            ),
        };
        let separator = ctx.text("separator").unwrap_or_else(|| "=".to_owned());
        Ok(File { ctx, encoding, separator, new: old.clone(), old })
    }

    pub(super) fn document(&self) -> Result<Section, String> {
        self.parsed(false)
    }

    fn parsed(&self, no_spaces: bool) -> Result<Section, String> {
        Section::parse(self.new.as_deref().unwrap_or_default(), &self.separator, no_spaces)
    }

    /// Puts sections and options in; what that changed. The file is there afterwards.
    pub(super) fn set(&mut self, sections: &Map<String, Value>) -> Result<Changes, String> {
        let mut document = self.parsed(self.ctx.flag("no_spaces", false))?;
        let changes = document.update(New::pairs(sections))?;
        self.new = Some(document.text());
        Ok(changes)
    }

    /// Takes an option out of a section, or one of those above all sections.
    pub(super) fn take(
        &mut self,
        section: Option<&str>,
        key: &str,
    ) -> Result<Option<Item>, String> {
        let mut document = self.document()?;
        let taken = match section.and_then(|section| document.items.get_mut(section)) {
            Some(Item::Section(section)) => section.items.shift_remove(key),
            Some(Item::Text(_)) | None => document.items.shift_remove(key),
        };
        self.new = Some(document.text());
        Ok(taken)
    }

    /// Takes a section out: its options; `None` if it is not there.
    pub(super) fn take_section(&mut self, name: &str) -> Result<Option<Changes>, String> {
        let mut document = self.document()?;
        let Some(taken) = document.items.shift_remove(name) else { return Ok(None) };
        self.new = Some(document.text());
        match taken {
            Item::Section(section) => Ok(Some(section.plain())),
            Item::Text(_) => Err("'str' object has no attribute 'items'".to_owned()),
        }
    }

    /// What is to be written, if it became another.
    pub(super) fn data(self) -> Option<Vec<u8>> {
        let text = self.new.filter(|new| self.old.as_ref() != Some(new))?;
        Some(match self.encoding {
            Encoding::Utf8 => text.into_bytes(),
            Encoding::Latin1 => text_bytes(&text),
        })
    }
}

/// Puts a state's file in its place, with the old one's owner and mode.
pub(super) fn write(ctx: &Context<'_>, data: &[u8]) -> Result<(), String> {
    let (host, name) = (ctx.host, ctx.name());
    let place = host.followed(name);
    let old = host.stat(name).map(|meta| Access::of(&meta)).unwrap_or_default();
    let written = match place.parent() {
        Some(folder) if !folder.is_dir() => Err(io::Error::from_raw_os_error(nix::libc::ENOENT)),
        _ => replace_keeping(host, &place, data, Access::default(), old),
    };
    written.map_err(|error| {
        let words = python_error(&error, name);
        format!("Unable to write file '{name}'. Exception: {words}")
    })
}
