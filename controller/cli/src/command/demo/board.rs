//! What a person watches while the demo goes: one line a worker, redrawn in place on a terminal.

use crate::failure::Result;
use crate::output::{Output, note};
use std::io::{IsTerminal, Write};

/// More lines than a small terminal has cannot be redrawn.
const REDRAWN_MAX: usize = 16;

/// Lines on stdout, or on stderr if stdout is for a program.
#[derive(Debug)]
pub(super) struct Board {
    output: Output,
    terminal: bool,
    drawn: Vec<String>,
}

impl Board {
    /// Nothing is drawn yet.
    pub(super) fn new(output: Output) -> Board {
        let terminal = match output.is_table() {
            true => output.is_terminal(),
            false => std::io::stderr().is_terminal(),
        };
        Board { output, terminal, drawn: Vec::new() }
    }

    /// Where it is written.
    pub(super) fn output(&self) -> &Output {
        &self.output
    }

    /// Whether so many lines are redrawn in place; else each change is a line of its own.
    pub(super) fn redraws(&self, lines: usize) -> bool {
        self.terminal && lines <= REDRAWN_MAX
    }

    /// Writes a line.
    pub(super) fn say(&mut self, line: &str) -> Result<()> {
        self.end();
        match self.output.is_table() {
            true => self.output.line(line),
            false => {
                note(line);
                Ok(())
            }
        }
    }

    /// Writes a line of the end of things, when nobody may be reading stdout any more.
    pub(super) fn note(&mut self, line: &str) {
        self.end();
        note(line);
    }

    /// Draws the lines over those that were drawn before. A line too long for the terminal is cut
    /// by it: a wrapped one would be two, and the next drawing be out of place.
    pub(super) fn redraw(&mut self, lines: &[String]) -> Result<()> {
        if self.drawn == lines {
            return Ok(());
        }
        let mut text = String::from("\x1b[?7l");
        if !self.drawn.is_empty() {
            text.push_str(&format!("\x1b[{}A", self.drawn.len()));
        }
        for line in lines {
            text.push_str(&format!("\r\x1b[2K{line}\n"));
        }
        text.push_str("\x1b[?7h");
        self.drawn = lines.to_vec();
        if self.output.is_table() {
            return self.output.text(&text);
        }
        let mut stderr = std::io::stderr().lock();
        if stderr.write_all(text.as_bytes()).is_err() {
            self.terminal = false;
        }
        Ok(())
    }

    /// What is drawn stays; the next lines go below.
    pub(super) fn end(&mut self) {
        self.drawn.clear();
    }
}
