//! One section of a deb822 `.sources` file.

use super::line::{Line, truth};

/// A repository in several fields; other fields are kept as they are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Section {
    pub(super) header: Vec<String>,
    footer: Vec<String>,
    fields: Vec<(String, String)>,
}

impl Section {
    /// The sections of a file, divided by blank lines.
    pub(super) fn parse_all(text: &str) -> Vec<Section> {
        let mut out = Vec::new();
        let mut lines: Vec<&str> = Vec::new();
        for line in text.lines().chain([""]) {
            if !line.trim().is_empty() {
                lines.push(line);
            } else if !lines.is_empty() {
                out.push(Section::parse(&lines));
                lines.clear();
            }
        }
        out
    }

    fn parse(lines: &[&str]) -> Section {
        let mut out = Section::default();
        for line in lines {
            if line.starts_with('#') {
                let list = if out.fields.is_empty() { &mut out.header } else { &mut out.footer };
                list.push((*line).to_owned());
                continue;
            }
            let field = line.split_once(':').filter(|(key, _)| !key.contains(char::is_whitespace));
            match (field, out.fields.last_mut()) {
                (Some((key, value)), _) => {
                    out.fields.push((key.to_owned(), value.trim().to_owned()));
                }
                (None, Some((_, value))) => {
                    value.push('\n');
                    value.push_str(line);
                }
                (None, None) => {}
            }
        }
        out
    }

    /// A field, whatever the case of its name.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        let field = self.fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(key));
        field.map(|(_, value)| value.as_str())
    }

    pub(super) fn words(&self, key: &str) -> Vec<String> {
        self.get(key).unwrap_or_default().split_whitespace().map(str::to_owned).collect()
    }

    pub(super) fn set(&mut self, key: &str, value: &str) {
        match self.fields.iter_mut().find(|(name, _)| name.eq_ignore_ascii_case(key)) {
            Some((_, old)) => value.clone_into(old),
            None => self.fields.push((key.to_owned(), value.to_owned())),
        }
    }

    pub(super) fn remove(&mut self, key: &str) {
        self.fields.retain(|(name, _)| !name.eq_ignore_ascii_case(key));
    }

    pub(super) fn disabled(&self) -> bool {
        self.get("Enabled").and_then(truth) == Some(false)
    }

    pub(super) fn trusted(&self) -> Option<bool> {
        self.get("Trusted").and_then(truth)
    }

    /// The one-line form of one of its repositories, as Salt makes it to compare.
    pub(super) fn line(&self, kind: &str, uri: &str, suite: &str) -> String {
        let mut line = Line {
            kind: kind.to_owned(),
            uri: uri.to_owned(),
            suite: suite.to_owned(),
            components: self.words("Components"),
            disabled: self.disabled(),
            architectures: self.words("Architectures"),
            trusted: self.trusted(),
            ..Line::default()
        };
        line.signed_by = self.get("Signed-By").unwrap_or("None").to_owned();
        line.show()
    }

    /// The section's text, without a line's end.
    pub(super) fn show(&self) -> String {
        let mut out: Vec<String> = self.header.clone();
        let fields = self.fields.iter().filter(|(_, value)| !value.is_empty());
        out.extend(fields.map(|(key, value)| match value.strip_prefix('\n') {
            Some(below) => format!("{key}:\n{below}"),
            None => format!("{key}: {value}"),
        }));
        out.extend(self.footer.clone());
        out.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_keep_comments_and_fields_of_several_lines() {
        let text = "# one\nTypes: deb\nURIs: http://x\nSuites: a b\nComponents: main\n\
                    Signed-By:\n -----BEGIN\n .\n -----END";
        let sections = Section::parse_all(&format!("{text}\n\n\nTypes: deb-src\nEnabled: no\n"));
        assert_eq!(sections[0].show(), text);
        assert_eq!(sections[0].words("suites"), ["a", "b"]);
        assert!(sections[1].disabled());
    }
}
