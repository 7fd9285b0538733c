//! `/etc/hosts` as Salt reads and writes it: one line an address, comments kept, blanks not.

use indexmap::IndexMap;

/// An address's names, and the comment behind them.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Host {
    pub(super) aliases: Vec<String>,
    pub(super) comment: Option<String>,
}

#[derive(Debug)]
enum Line {
    Comment(String),
    Host(Host),
}

/// The file, by address; comments have keys of their own.
#[derive(Debug, Default)]
pub(super) struct Table(IndexMap<String, Line>);

impl Table {
    pub(super) fn parse(text: &str) -> Table {
        let mut table = Table::default();
        for (at, line) in text.lines().map(str::trim).enumerate() {
            if line.is_empty() {
                continue;
            }
            if line.starts_with('#') {
                table.0.insert(format!("# {at}"), Line::Comment(line.to_owned()));
                continue;
            }
            let (names, comment) = match line.split_once('#') {
                Some((names, comment)) => (names, Some(comment.trim_start().to_owned())),
                None => (line, None),
            };
            let mut words = names.split_whitespace().map(str::to_owned);
            let Some(ip) = words.next() else { continue };
            table.with(&ip, |host| {
                host.aliases.extend(words);
                host.comment = comment.filter(|text| !text.is_empty()).or(host.comment.take());
            });
        }
        table
    }

    /// Changes an address's entry, which is made if it is missing.
    fn with(&mut self, ip: &str, change: impl FnOnce(&mut Host)) {
        let line = self.0.entry(ip.to_owned()).or_insert_with(|| Line::Host(Host::default()));
        if let Line::Host(host) = line {
            change(host);
        }
    }

    pub(super) fn hosts(&self) -> impl Iterator<Item = (&str, &Host)> {
        self.0.iter().filter_map(|(ip, line)| match line {
            Line::Host(host) => Some((ip.as_str(), host)),
            Line::Comment(_) => None,
        })
    }

    pub(super) fn host(&self, ip: &str) -> Option<&Host> {
        self.hosts().find(|(own, _)| *own == ip).map(|(_, host)| host)
    }

    pub(super) fn has(&self, ip: &str, alias: &str) -> bool {
        self.host(ip).is_some_and(|host| host.aliases.iter().any(|own| own == alias))
    }

    pub(super) fn add(&mut self, ip: &str, alias: &str) {
        self.with(ip, |host| host.aliases.push(alias.to_owned()));
    }

    pub(super) fn set_comment(&mut self, ip: &str, comment: &str) {
        self.with(ip, |host| host.comment = Some(comment.to_owned()));
    }

    pub(super) fn render(&self) -> String {
        let mut out = String::new();
        for (ip, line) in &self.0 {
            match line {
                Line::Comment(text) => out.push_str(text),
                Line::Host(Host { aliases, comment }) => {
                    let mut line = format!("{ip}\t\t{}", aliases.join(" "));
                    if let Some(comment) = comment {
                        line.push_str(&format!("\t\t# {comment}"));
                    }
                    out.push_str(line.trim());
                }
            }
            out.push('\n');
        }
        out
    }
}

/// The file without a name of an address; the other lines stay as they are.
pub(super) fn without(text: &str, ip: &str, alias: &str) -> String {
    let edit = |line: &str| {
        let (names, comment) = match line.split_once('#') {
            Some((names, comment)) => (names, Some(comment.trim())),
            None => (line, None),
        };
        let mut words = names.split_whitespace();
        if words.next() != Some(ip) {
            return None;
        }
        let kept: String =
            words.filter(|word| *word != alias).map(|word| format!("{word} ")).collect();
        Some(match comment.filter(|text| !text.is_empty()) {
            _ if kept.is_empty() => String::new(),
            Some(comment) => format!("{ip}\t\t{kept}# {comment}\n"),
            None => format!("{ip}\t\t{kept}\n"),
        })
    };
    text.split_inclusive('\n').map(|line| edit(line).unwrap_or_else(|| line.to_owned())).collect()
}

/// The file with one line of an address, with these names alone.
pub(super) fn only(text: &str, ip: &str, names: &str) -> String {
    let line = if names.trim().is_empty() { String::new() } else { format!("{ip}\t\t{names}\n") };
    let mut out = String::new();
    let mut done = false;
    for own in text.split_inclusive('\n') {
        let is = !own.trim_start().starts_with('#') && own.split_whitespace().next() == Some(ip);
        if !is {
            out.push_str(own);
        } else if !done {
            out.push_str(&line);
            done = true;
        }
    }
    if !done {
        if !out.is_empty() && !out.ends_with('\n') {
            out.push('\n');
        }
        out.push_str(&line);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# top\n127.0.0.1 localhost\n\n10.0.0.1  a b # one\n10.0.0.1 c\n";

    #[test]
    fn lines_of_one_address_become_one_and_comments_stay() {
        let mut table = Table::parse(TEXT);
        assert!(table.has("10.0.0.1", "c") && !table.has("10.0.0.2", "c"));
        table.add("10.0.0.2", "d");
        let wanted = "# top\n127.0.0.1\t\tlocalhost\n10.0.0.1\t\ta b c\t\t# one\n10.0.0.2\t\td\n";
        assert_eq!(table.render(), wanted);
    }

    #[test]
    fn a_name_is_taken_off_and_names_are_set() {
        let left = without(TEXT, "10.0.0.1", "c");
        assert_eq!(left, "# top\n127.0.0.1 localhost\n\n10.0.0.1\t\ta b # one\n");
        assert!(only(TEXT, "10.0.0.1", "x y").ends_with("\n\n10.0.0.1\t\tx y\n"));
        assert!(only("a", "10.0.0.9", "z").ends_with("a\n10.0.0.9\t\tz\n"));
    }
}
