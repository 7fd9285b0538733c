//! What people and programs read: results on stdout, progress and errors on stderr.

mod log;
mod progress;
mod style;
mod table;
mod when;

pub(crate) use log::start as start_log;
pub(crate) use progress::Progress;
pub(crate) use style::{Style, clean};
pub(crate) use table::{Cell, Table};
pub(crate) use when::{Rfc3339, clock, duration, moment, span};

use crate::failure::{Failure, OrNext, Result};
use anyhow::Context;
use serde::Serialize;
use std::io::{ErrorKind, IsTerminal, Write};

/// How results are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// Aligned columns for people.
    Table,
    /// JSON: one value; a stream has one object per line.
    Json,
    /// YAML: one value; a stream has one document per item.
    Yaml,
}

/// Stdout, in the format that was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    format: Format,
    terminal: bool,
    colour: bool,
}

impl Output {
    /// Colours only on a terminal, and not if `NO_COLOR` is set (<https://no-color.org>).
    pub(crate) fn new(format: Format) -> Output {
        let terminal = std::io::stdout().is_terminal();
        Output { format, terminal, colour: terminal && colours_wanted() }
    }

    /// Whether people read along, in lines as they come.
    pub(crate) fn is_table(&self) -> bool {
        self.format == Format::Table
    }

    /// Whether stdout is a terminal.
    pub(crate) fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Text in a style, if colours are wanted.
    pub(crate) fn paint(&self, style: Style, text: &str) -> String {
        style.paint(text, self.colour)
    }

    /// Writes a value, or the table that says the same.
    pub(crate) fn show(&self, value: &impl Serialize, table: impl FnOnce() -> Table) -> Result<()> {
        match self.format {
            Format::Table => self.text(&table().render(self.colour)),
            Format::Json | Format::Yaml => self.value(value),
        }
    }

    /// Writes one value: JSON in one line, spread out on a terminal; or YAML.
    pub(crate) fn value(&self, value: &impl Serialize) -> Result<()> {
        let pretty = self.terminal;
        self.encoded(value, pretty)
    }

    /// Writes one value of a stream: JSON in one line always; or a YAML document.
    pub(crate) fn item(&self, value: &impl Serialize) -> Result<()> {
        if self.format == Format::Yaml {
            self.line("---")?;
        }
        self.encoded(value, false)
    }

    fn encoded(&self, value: &impl Serialize, pretty: bool) -> Result<()> {
        let bug = "this is a mistake of muster's: please report it";
        let text = match self.format {
            Format::Yaml => serde_saphyr::to_string(value).context("writing YAML").or_next(bug)?,
            Format::Json | Format::Table if pretty => {
                serde_json::to_string_pretty(value).context("writing JSON").or_next(bug)?
            }
            Format::Json | Format::Table => {
                serde_json::to_string(value).context("writing JSON").or_next(bug)?
            }
        };
        self.line(text.trim_end_matches('\n'))
    }

    /// Writes a line.
    pub(crate) fn line(&self, line: &str) -> Result<()> {
        self.text(&format!("{line}\n"))
    }

    /// Writes text as it is.
    pub(crate) fn text(&self, text: &str) -> Result<()> {
        let mut stdout = std::io::stdout().lock();
        match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(Failure::PipeClosed),
            Err(error) => Err(error).context("writing the output").or_next("check where it goes"),
        }
    }
}

fn colours_wanted() -> bool {
    let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    wanted && !dumb
}

/// Writes a line to stderr.
pub(crate) fn note(line: &str) {
    let written = writeln!(std::io::stderr().lock(), "{line}");
    if written.is_err() {
        // Nobody reads stderr: there is nowhere to say so.
    }
}
