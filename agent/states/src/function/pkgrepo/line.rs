//! One line of apt's sources.list: `deb [options] uri suite component..`.

/// An option in brackets: its name as Salt calls it, and the whole word.
pub(super) type Opt = (String, String);

/// A repository in one line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::function) struct Line {
    pub(super) disabled: bool,
    pub(super) kind: String,
    pub(super) uri: String,
    pub(super) suite: String,
    pub(super) components: Vec<String>,
    pub(super) architectures: Vec<String>,
    pub(super) signed_by: String,
    pub(super) trusted: Option<bool>,
    pub(super) comment: String,
    pub(super) options: Vec<Opt>,
}

impl Line {
    /// Reads a line; `None` for what names no repository: a blank line, a comment.
    pub(super) fn parse(text: &str) -> Option<Line> {
        let text = text.trim();
        let (disabled, rest) = match text.strip_prefix('#') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (rest, comment) = match rest.find('#') {
            Some(at) if at > 0 => (&rest[..at], &rest[at + 1..]),
            _ => (rest, ""),
        };
        let (kind, after) = rest.trim().split_once(char::is_whitespace)?;
        if !["deb", "deb-src", "rpm", "rpm-src"].contains(&kind) {
            return None;
        }
        let after = after.trim_start();
        let (bracket, after) = match after.strip_prefix('[') {
            Some(inner) => inner.split_once(']')?,
            None => ("", after),
        };
        let mut words = after.split_whitespace().map(str::to_owned);
        let (uri, suite) = (words.next()?, words.next()?);
        let mut out = Line {
            disabled,
            kind: kind.to_owned(),
            uri,
            suite,
            components: words.collect(),
            comment: comment.to_owned(),
            ..Line::default()
        };
        for word in bracket.split_whitespace() {
            out.option(word);
        }
        Some(out)
    }

    fn option(&mut self, word: &str) {
        let Some((key, value)) = word.split_once('=') else { return };
        match key {
            _ if key.starts_with("arch") => {
                self.architectures = value.split(',').map(str::to_owned).collect();
            }
            "signed-by" => value.clone_into(&mut self.signed_by),
            "trusted" => self.trusted = truth(value),
            _ => {}
        }
        let key = if key.starts_with("arch") { "arch" } else { key };
        self.options.retain(|(known, _)| known != key);
        self.options.push((key.to_owned(), word.to_owned()));
    }

    /// The line as Salt writes it: options where they were, new ones behind them.
    pub(super) fn show(&self) -> String {
        let mut options = self.options.clone();
        let mut set = |key: &str, word: String| match options.iter_mut().find(|(k, _)| k == key) {
            Some((_, old)) => *old = word,
            None => options.push((key.to_owned(), word)),
        };
        if !self.architectures.is_empty() {
            set("arch", format!("arch={}", self.architectures.join(",")));
        }
        if !self.signed_by.is_empty() {
            set("signed-by", format!("signed-by={}", self.signed_by));
        }
        if self.trusted == Some(true) {
            set("trusted", "trusted=yes".to_owned());
        }
        options.retain(|(key, word)| key != "trusted" || word != "trusted=no");
        let mut out = Vec::new();
        if self.disabled {
            out.push("#".to_owned());
        }
        out.push(self.kind.clone());
        if !options.is_empty() {
            let words: Vec<String> = options.into_iter().map(|(_, word)| word).collect();
            out.push(format!("[{}]", words.join(" ")));
        }
        out.extend([self.uri.clone(), self.suite.clone(), self.components.join(" ")]);
        if !self.comment.is_empty() {
            out.push(format!("#{}", self.comment));
        }
        out.join(" ").trim().to_owned()
    }

    /// The line as Salt would add it: only the options that it knows. That it is trusted counts
    /// only if an argument says so, which is why a trusted line never is as it should be.
    pub(super) fn plain(&self, trusted: Option<bool>) -> String {
        let known = Line { options: Vec::new(), comment: String::new(), trusted, ..self.clone() };
        known.show()
    }
}

/// apt's words for yes and no.
pub(super) fn truth(word: &str) -> Option<bool> {
    match word.to_lowercase().as_str() {
        "no" | "false" | "without" | "off" | "disable" | "0" => Some(false),
        "yes" | "true" | "with" | "on" | "enable" | "1" => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_and_shown_again() {
        for text in [
            "deb http://x/debian bookworm main contrib",
            "deb [arch=amd64,i386 signed-by=/k.gpg] http://x bookworm main",
            "deb [trusted=yes lang=none] file:/srv ./",
            "# deb-src http://x bookworm main",
            "deb http://x bookworm main #why",
        ] {
            assert_eq!(Line::parse(text).unwrap().show(), text);
        }
    }

    #[test]
    fn what_is_no_repository_is_left_alone() {
        for text in ["", "# a comment", "deb http://x", "deb [arch=x http://x bookworm", "#"] {
            assert_eq!(Line::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_new_option_comes_last() {
        let mut line = Line::parse("deb [lang=none] http://x y z").unwrap();
        line.architectures = vec!["arm64".into()];
        assert_eq!(line.show(), "deb [lang=none arch=arm64] http://x y z");
    }
}
