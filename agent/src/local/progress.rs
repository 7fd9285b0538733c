//! How far a run is, on the last line of a terminal.

use super::eprint;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// Lines that come faster than this are not worth drawing.
const REDRAW: Duration = Duration::from_millis(50);
/// Columns that the line may take.
const COLUMNS_MAX: usize = 78;

/// Draws on stderr, if that is a terminal.
pub(super) struct Progress {
    shown: bool,
    states: usize,
    ended: usize,
    drawn: Option<Instant>,
}

impl Progress {
    /// Of a run of so many states.
    pub(super) fn start(states: usize) -> Progress {
        let shown = std::io::stderr().is_terminal();
        Progress { shown, states, ended: 0, drawn: None }
    }

    /// A state ended; Salt's key tells which.
    pub(super) fn ended(&mut self, key: &str) {
        self.ended += 1;
        if self.shown && self.drawn.is_none_or(|drawn| drawn.elapsed() >= REDRAW) {
            self.drawn = Some(Instant::now());
            eprint(&format!("\r\x1b[K{}", line(self.ended, self.states, key)));
        }
    }

    /// Leaves nothing behind.
    pub(super) fn clear(&self) {
        if self.drawn.is_some() {
            eprint("\r\x1b[K");
        }
    }
}

fn line(ended: usize, states: usize, key: &str) -> String {
    let parts: Vec<&str> = key.split("_|-").collect();
    let (function, name) = match parts.as_slice() {
        [module, _, name, function] => (format!("{module}.{function}"), *name),
        _ => (String::new(), key),
    };
    let text = format!("{ended}/{states} {function} {name}");
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(COLUMNS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_it_is_and_stays_one_line() {
        let text = line(3, 40, "file_|-motd_|-/etc/motd_|-managed");
        assert_eq!(text, "3/40 file.managed /etc/motd");
        let long = line(1, 1, &format!("cmd_|-a_|-{}\n{}_|-run", "x".repeat(50), "y".repeat(50)));
        assert!(long.chars().count() <= COLUMNS_MAX && !long.contains('\n'));
    }
}
