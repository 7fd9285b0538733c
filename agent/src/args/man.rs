//! The manual pages, made from what `--help` shows.

use super::help::{self, COMMANDS, HELP, LIST};

/// Names and texts of all pages; `more` are helps of commands that have theirs elsewhere.
pub(crate) fn pages(more: &[(&str, &str)]) -> Vec<(String, String)> {
    let title = |command: &str| format!("muster-agent-{command}");
    let mut others: Vec<(&str, String)> =
        COMMANDS.iter().map(|command| (command.name, help::of(command.name))).collect();
    others.extend(more.iter().map(|(name, text)| (*name, (*text).to_owned())));
    let see: Vec<String> = others.iter().map(|(name, _)| format!("{}(1)", title(name))).collect();
    let mut all = vec![page("muster-agent", "Muster's daemon on a worker", HELP, &see)];
    for (name, text) in &others {
        let what = LIST.iter().find(|(known, _)| known == name).map_or("", |(_, what)| *what);
        all.push(page(&title(name), what, text, &["muster-agent(1)".to_owned()]));
    }
    all
}

/// One page: a help's first part is its description, what is indented there stays as it is.
fn page(title: &str, what: &str, help: &str, see: &[String]) -> (String, String) {
    let mut text = format!(".TH {} 1\n.SH NAME\n{title} \\- {what}\n", title.to_uppercase());
    text.push_str(".SH DESCRIPTION\n");
    let mut is_plain = true;
    for line in help.lines() {
        let heading = line.strip_suffix(':').filter(|line| is_heading(line));
        let (plain, out) = match (heading, line.strip_prefix("Usage: ")) {
            (Some(heading), _) => (true, format!(".SH {}", heading.to_uppercase())),
            (None, Some(usage)) => (false, format!(".SH SYNOPSIS\n.nf\n{}", escaped(usage))),
            (None, None) if line.is_empty() => (true, ".PP".to_owned()),
            (None, None) if line.starts_with(' ') => (false, escaped(line)),
            (None, None) => (true, escaped(line)),
        };
        match (is_plain, plain) {
            (true, false) if !out.contains(".nf") => text.push_str(".nf\n"),
            (false, true) => text.push_str(".fi\n"),
            _ => {}
        }
        is_plain = plain;
        text.push_str(&out);
        text.push('\n');
    }
    if !is_plain {
        text.push_str(".fi\n");
    }
    text.push_str(&format!(".SH SEE ALSO\n{}\n", see.join(", ")));
    (format!("{title}.1"), text)
}

/// `Options of run and up`, and not a sentence that ends in a colon.
fn is_heading(line: &str) -> bool {
    line.starts_with(char::is_uppercase) && line.len() < 40 && !line.contains([',', '.'])
}

/// As roff takes it: no line is a request, and a `-` is one.
fn escaped(line: &str) -> String {
    let text = line.replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_with_options_has_a_page() {
        let pages = pages(&[("restore", "Restore.\n\nUsage: muster-agent restore\n")]);
        let names: Vec<&str> = pages.iter().map(|(name, _)| name.as_str()).collect();
        let wanted = ["", "-apply", "-show", "-single", "-pillar", "-restore"];
        assert_eq!(names, wanted.map(|name| format!("muster-agent{name}.1")));
        for (name, text) in &pages {
            for part in [".TH ", ".SH NAME", ".SH DESCRIPTION", ".SH SYNOPSIS", ".SH SEE ALSO"] {
                assert!(text.contains(part), "{name}: {text}");
            }
            let (open, closed) = (text.matches(".nf").count(), text.matches(".fi").count());
            assert_eq!(open, closed, "{text}");
        }
        assert!(pages[1].1.contains("\n.SH OPTIONS\n.nf\n  \\-\\-local"), "{}", pages[1].1);
        assert!(pages[1].1.contains("\n.SH EXAMPLES\n"), "{}", pages[1].1);
    }
}
