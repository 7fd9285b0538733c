//! Colours, and text from elsewhere made harmless for a terminal.

/// What a piece of text means to the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// Nothing special.
    Plain,
    /// As it should be.
    Good,
    /// On its way, or worth a look.
    Busy,
    /// Wrong.
    Bad,
    /// Of little weight.
    Dim,
    /// The head of a column or a block.
    Head,
}

impl Style {
    /// Wraps the text in the style's escape sequence, if colours are wanted.
    pub(crate) fn paint(self, text: &str, colour: bool) -> String {
        let code = match self {
            Style::Plain => return text.to_owned(),
            Style::Good => "32",
            Style::Busy => "33",
            Style::Bad => "31",
            Style::Dim => "2",
            Style::Head => "1",
        };
        match colour {
            true => format!("\x1b[{code}m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }
}

/// Makes control characters visible: a worker's words never steer the operator's terminal.
/// Newlines and tabs stay.
pub(crate) fn clean(text: &str) -> String {
    let plain = |c: char| !c.is_control() || c == '\n' || c == '\t';
    text.chars()
        .map(|c| if plain(c) { c.to_string() } else { c.escape_default().to_string() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_only_where_they_are_wanted() {
        assert_eq!(Style::Bad.paint("x", true), "\x1b[31mx\x1b[0m");
        assert_eq!(Style::Bad.paint("x", false), "x");
        assert_eq!(Style::Plain.paint("x", true), "x");
    }

    #[test]
    fn a_worker_cannot_steer_the_terminal() {
        assert_eq!(clean("a\x1b[2Jb\u{9b}c\n\td\r"), "a\\u{1b}[2Jb\\u{9b}c\n\td\\r");
    }
}
