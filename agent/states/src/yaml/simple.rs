//! What most SLS are made of, read line by line: maps and lists by indentation, of scalars that
//! stand on one line each.
//!
//! All is printable ASCII. Each line is `- `, any number of times, and then `key:`, `key: scalar`
//! or a scalar; a comment is a line of its own. A scalar begins with none of YAML's signs, or is in
//! quotes with no quote or backslash within, and a deeper line never follows one. If a text holds
//! anything else, even in its last line, nothing is read here, and libyaml reads all of it. So this
//! has no words for faults. That both read the same, places and all, is tested and fuzzed.

use super::libyaml::Mark;
use super::load::{NODES_MAX, by_libyaml, unique};
use super::{Data, Node, scalar};

/// Lists and maps that stand within one another.
const DEPTH_MAX: usize = 32;
/// Bytes of a key; libyaml takes some more.
const KEY_MAX: usize = 1000;

/// Reads a document that is as simple as that.
pub(super) fn document(text: &str) -> Option<Node> {
    let usual = |byte: u8| matches!(byte, b'\n' | b' '..=b'~');
    // No node has less than two bytes.
    if text.len() > NODES_MAX || !text.bytes().all(usual) {
        return None;
    }
    let mut reader = Reader { lines: text.split('\n'), line: 0, now: None };
    reader.advance();
    let root = reader.block(0)?;
    (reader.now.is_none() && root.column == 1).then_some(root)
}

/// Whether libyaml reads the same, places and all, if anything is read here.
pub(crate) fn agrees(text: &str) -> bool {
    document(text).is_none_or(|node| by_libyaml(text).is_ok_and(|own| own == node))
}

/// A line, or the rest of one behind `- `.
#[derive(Clone, Copy)]
struct Line<'a> {
    line: u32,
    column: usize,
    text: &'a str,
}

impl<'a> Line<'a> {
    /// What stands behind `- `.
    fn item(self) -> Option<Line<'a>> {
        let text = self.text.strip_prefix("- ")?.trim_start_matches(' ');
        Some(self.rest(text))
    }

    /// A key, and the text behind it, which may be none.
    fn pair(self) -> Option<(Line<'a>, Line<'a>)> {
        let (key, value) = match self.text.split_once(": ") {
            Some((key, value)) => (key, value.trim_start_matches(' ')),
            None => (self.text.strip_suffix(':')?, ""),
        };
        let begins = key.starts_with(|c: char| c.is_ascii_alphanumeric() || "/_".contains(c));
        let is_key = begins && !key.ends_with(' ') && !key.contains('#') && key.len() <= KEY_MAX;
        is_key.then(|| (Line { text: key, ..self }, self.rest(value)))
    }

    /// The end of the line that this text is.
    fn rest(self, text: &'a str) -> Line<'a> {
        Line { column: self.column + self.text.len() - text.len(), text, ..self }
    }

    fn scalar(self) -> Option<Node> {
        let within = |quote: char| self.text.strip_prefix(quote)?.strip_suffix(quote);
        let (text, plain) = match within('\'').or_else(|| within('"')) {
            Some(text) if text.contains(['\'', '"', '\\']) => return None,
            Some(text) => (text, false),
            None => (self.text, true),
        };
        let begins = |c: char| c.is_ascii_alphanumeric() || "/_~$(".contains(c);
        let signs = text.contains(": ") || text.ends_with(':') || text.contains('#');
        if plain && (signs || !text.starts_with(begins)) {
            return None;
        }
        self.node(scalar::typed(text.to_owned(), plain, None).ok()?)
    }

    fn node(self, data: Data) -> Option<Node> {
        Some(Node { line: self.line, column: u32::try_from(self.column).ok()? + 1, data })
    }
}

struct Reader<'a> {
    lines: std::str::Split<'a, char>,
    line: u32,
    /// The line at hand, or what is left of it.
    now: Option<Line<'a>>,
}

impl<'a> Reader<'a> {
    /// Goes on to the next line that is neither empty nor a comment.
    fn advance(&mut self) {
        self.now = self.lines.by_ref().find_map(|line| {
            self.line += 1;
            let text = line.trim_matches(' ');
            let column = line.len() - line.trim_start_matches(' ').len();
            let is_said = !text.is_empty() && !text.starts_with('#');
            is_said.then_some(Line { line: self.line, column, text })
        });
    }

    /// The list or map that begins here.
    fn block(&mut self, depth: usize) -> Option<Node> {
        let first = self.now.filter(|_| depth < DEPTH_MAX)?;
        let data = match first.item() {
            Some(_) => self.list(first.column, depth)?,
            None => self.map(first.column, depth)?,
        };
        first.node(data)
    }

    fn list(&mut self, column: usize, depth: usize) -> Option<Data> {
        let mut items = Vec::new();
        while let Some(item) = self.at(column).and_then(Line::item) {
            items.push(match item.item().is_some() || item.pair().is_some() {
                true => {
                    self.now = Some(item);
                    self.block(depth + 1)?
                }
                false => self.scalar(item, column)?,
            });
        }
        Some(Data::Seq(items))
    }

    fn map(&mut self, column: usize, depth: usize) -> Option<Data> {
        let mut pairs = Vec::new();
        while let Some((key, value)) = self.at(column).and_then(Line::pair) {
            let key = key.node(scalar::typed(key.text.to_owned(), true, None).ok()?)?;
            let value = match value.text {
                "" => {
                    self.advance();
                    // A list may stand right below its key.
                    let below = self.at(column).and_then(Line::item).is_some();
                    if !below && self.now?.column <= column {
                        return None;
                    }
                    self.block(depth + 1)?
                }
                _ => self.scalar(value, column)?,
            };
            pairs.push((key, value));
        }
        let some = !pairs.is_empty();
        unique(Vec::new(), pairs, Mark::default()).ok().filter(|_| some)
    }

    /// A scalar that ends its line, in what begins at this column.
    fn scalar(&mut self, text: Line<'_>, column: usize) -> Option<Node> {
        self.advance();
        let goes_on = self.now.is_some_and(|next| next.column > column);
        if goes_on { None } else { text.scalar() }
    }

    fn at(&self, column: usize) -> Option<Line<'a>> {
        self.now.filter(|line| line.column == column)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str) -> bool {
        assert!(agrees(text), "{text:?}");
        document(text).is_some()
    }

    #[test]
    fn what_trees_say_most_is_read_here() {
        for text in [
            "/etc/motd:\n  file.managed:\n    - mode: '0644'\n    - contents: a b, c\n",
            "a:\n- b\n-   c: 1\n    d: [\n",
            "include:\n  - a.b\n\n# x\na b:\n  pkg.installed:\n    - pkgs:\n      - x\n\n\n",
            "a:\n  b.c:\n    - require:\n      - file: /x:y\n    -  - - z\n       - \"\"\n",
            "a: salt://x/y\nb: ~\nc: 0644\nd: yes\n1: 2.5\n",
        ] {
            assert_eq!(check(text), !text.contains('['), "{text:?}");
        }
    }

    #[test]
    fn what_is_not_so_simple_is_left_to_libyaml() {
        for text in [
            "",
            "a",
            "a:",
            "- a\nb: c\n",
            "a: b\n  c\n",
            "a: b\n c: d\n",
            "a: b: c\n",
            "a: 'b' c\n",
            "a: b #c\n",
            "a: |\n  b\n",
            "a: &b c\n",
            "a: b\na: c\n",
            "a: 'it''s'\n",
            "a: \"\\n\"\n",
            "a:\tb\n",
            "a: b\r\n",
            "a: \u{e9}\n",
            "---\na: b\n",
            "a: b\n...\n",
            " a: b\n",
            "? a\n",
            "a:\nb: c\n",
            "-\n",
            "- a:\n- b\n",
            "<<: b\n",
            "a: =\n",
            "a: -1\n",
            "a: [b]\n",
        ] {
            assert!(!check(text), "{text:?}");
        }
    }

    /// A text that is simple here and there.
    fn pieces() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "a", "b.c", "1", "~", "- ", "-", ": ", ":", ":\n", "\n", "\n  ", "\n    ", "\n- ",
            "\n  - ", "\n    - ", " ", "  ", "'", "''", "\"", "#", " #", "/", ".", "...", "---",
            "x:\n", "y: z\n", "\\", "<<", "=", "[", "yes", "|", "&a", "*a", "!", "%", "?", "? ",
            "\t", ",",
        ]);
        prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
    }

    /// A text whose lines are simple, however they stand below one another.
    fn lines() -> impl Strategy<Value = String> {
        let line = prop::sample::select(vec![
            "a:",
            "b:",
            "c: d",
            "e: 'f'",
            "g: \"h: i\"",
            "- j",
            "- k: l",
            "- m:",
            "- - n",
            "",
            "# o",
            "-  p:",
            "q:  0644 ",
            "- 'r'",
            "s t: u v",
            "- - w: x",
            "y",
        ]);
        let line = (0..5_usize, line).prop_map(|(by, text)| format!("{}{text}\n", " ".repeat(by)));
        prop::collection::vec(line, 0..8).prop_map(|lines| lines.concat())
    }

    /// Every text of so many of these pieces.
    #[test]
    fn short_texts_read_as_libyaml_reads_them() {
        const PIECES: [&str; 8] = ["a", ": ", ":\n", "- ", "\n", " ", "'", "#"];
        const COUNT: u32 = 5;
        let piece = |text: usize, at: u32| PIECES[text / PIECES.len().pow(at) % PIECES.len()];
        let read = (0..PIECES.len().pow(COUNT)).filter(|text| {
            let text: String = (0..COUNT).map(|at| piece(*text, at)).collect();
            check(&text)
        });
        assert!(read.count() > 100);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn pieces_read_as_libyaml_reads_them(text in pieces()) {
            check(&text);
        }

        #[test]
        fn lines_read_as_libyaml_reads_them(text in lines()) {
            check(&text);
        }
    }
}
