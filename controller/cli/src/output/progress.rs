//! One line on stderr that is drawn again in place, if stderr is a terminal.

use std::io::{IsTerminal, Write};

/// The line; nothing happens if stderr is no terminal.
#[derive(Debug)]
pub(crate) struct Progress {
    terminal: bool,
    drawn: bool,
}

impl Progress {
    /// No line yet.
    pub(crate) fn new() -> Progress {
        Progress { terminal: std::io::stderr().is_terminal(), drawn: false }
    }

    /// Whether the line is seen.
    pub(crate) fn is_seen(&self) -> bool {
        self.terminal
    }

    /// Draws the line; the terminal cuts it at its right edge.
    pub(crate) fn draw(&mut self, line: &str) {
        if self.terminal {
            put(&format!("\r\x1b[2K\x1b[?7l{line}\x1b[?7h"));
            self.drawn = true;
        }
    }

    /// Takes the line away, before something else is written or at the end.
    pub(crate) fn clear(&mut self) {
        if self.drawn {
            put("\r\x1b[2K");
            self.drawn = false;
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

fn put(text: &str) {
    let mut stderr = std::io::stderr().lock();
    let written = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
    if written.is_err() {
        // Nobody reads stderr: there is nowhere to say so.
    }
}
