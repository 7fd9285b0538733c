//! Rewrites Salt's Jinja extensions into minijinja's syntax, token by token, line for line.
//!
//! | Salt | becomes |
//! |---|---|
//! | `{% import_yaml E as x %}` (json, text) | `{% set x = __import_yaml(E) %}` |
//! | `{% load_yaml as x %}..{% endload %}` | `{% set x \| load_yaml %}..{% endset %}` |
//! | `{% do E %}` | `{% set __do = E %}` |
//! | `[..]`, `{..}` | `__l([..])`, `__d({..})`: lists and dicts that change in place |
//! | `"%s" % x` | `"%s"\|format(x)` |
//! | `{% from E import a %}` | `E` marked, so that the file sees its own `tpldir` |

/// Marks the name of an imported file, so that the loader gives it its own `tpldir`.
pub(super) const IMPORTED: &str = "nc:";

/// Rewrites one template.
pub(super) fn preprocess(source: &str) -> String {
    let bytes = source.as_bytes();
    let mut out = String::with_capacity(source.len() + 64);
    let (mut at, mut copied, mut raw) = (0, 0, false);
    while at + 1 < bytes.len() {
        let opens = (bytes[at], bytes[at + 1]);
        if opens == (b'{', b'#') && !raw {
            at = source[at..].find("#}").map_or(bytes.len(), |end| at + end + 2);
            continue;
        }
        let statement = opens == (b'{', b'%');
        if !statement && (opens != (b'{', b'{') || raw) {
            at += 1;
            continue;
        }
        let start = at + 2;
        let Some(end) = tag_end(source, start, statement) else {
            at = start;
            continue;
        };
        at = end + 2;
        let body = &source[start..end];
        let code = body.trim_start_matches(['-', '+']).trim_start();
        let word = if statement { first_word(code) } else { "" };
        match word {
            _ if raw => raw = word != "endraw",
            "raw" => raw = true,
            _ => {
                out.push_str(&source[copied..start]);
                out.push_str(&body[..body.len() - code.len()]);
                rewrite(word, code, &mut out);
                copied = end;
            }
        }
    }
    out.push_str(&source[copied..]);
    out
}

fn first_word(code: &str) -> &str {
    code.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap_or_default()
}

fn rewrite(word: &str, code: &str, out: &mut String) {
    match word {
        "import_yaml" | "import_json" | "import_text" => import_data(word, code, out),
        "load_yaml" | "load_json" | "load_text" => {
            let name = after(&code[word.len()..], "as");
            out.push_str(&format!("set {} | {word} {}", first_word(name), trim_mark(code)));
        }
        "endload" => {
            out.push_str("endset");
            out.push_str(&code["endload".len()..]);
        }
        "do" => {
            out.push_str("set __do =");
            out.push_str(&literals(&code[2..]));
        }
        "from" => match code.rfind(" import ") {
            Some(middle) => {
                let (file, names) = (literals(&code[4..middle]), literals(&code[middle..]));
                out.push_str(&format!("from \"{IMPORTED}\" ~ ({file}) {names}"));
            }
            None => out.push_str(code),
        },
        _ => out.push_str(&literals(code)),
    }
}

fn import_data(word: &str, code: &str, out: &mut String) {
    let rest = &code[word.len()..];
    let Some(middle) = rest.rfind(" as ") else {
        out.push_str(code);
        return;
    };
    let (file, tail) = (&rest[..middle], &rest[middle + 4..]);
    let name = first_word(tail.trim_start());
    out.push_str(&format!("set {name} = __{word}({}) {}", literals(file), trim_mark(code)));
    out.extend(tail.chars().filter(|c| *c == '\n'));
}

fn after<'a>(text: &'a str, word: &str) -> &'a str {
    let text = text.trim_start();
    text.strip_prefix(word).unwrap_or(text).trim_start()
}

/// The `-` or `+` that a tag ends with.
fn trim_mark(code: &str) -> &str {
    match code.as_bytes().last() {
        Some(b'-' | b'+') => &code[code.len() - 1..],
        _ => "",
    }
}

/// Where a tag ends: quotes and brackets inside it do not count.
fn tag_end(source: &str, start: usize, statement: bool) -> Option<usize> {
    let bytes = source.as_bytes();
    let (mut at, mut depth) = (start, 0_i32);
    while at < bytes.len() {
        let closes = bytes.get(at + 1) == Some(&b'}') && depth <= 0;
        match bytes[at] {
            quote @ (b'\'' | b'"') => at = quote_end(bytes, at, quote),
            b'{' | b'(' | b'[' => depth += 1,
            b')' | b']' => depth -= 1,
            b'%' if statement && closes => return Some(at),
            b'}' if !statement && closes => return Some(at),
            b'}' => depth -= 1,
            _ => {}
        }
        at += 1;
    }
    None
}

fn quote_end(bytes: &[u8], start: usize, quote: u8) -> usize {
    let mut at = start + 1;
    while at < bytes.len() && bytes[at] != quote {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at
}

/// Wraps list and dict literals, and rewrites `"..." % x`.
fn literals(code: &str) -> String {
    Literals { code, at: 0, out: String::with_capacity(code.len() + 16), ..Literals::default() }
        .run()
}

/// A walk over an expression that knows whether the last token was a value.
#[derive(Default)]
struct Literals<'a> {
    code: &'a str,
    at: usize,
    out: String,
    operand: bool,
    closers: Vec<&'static str>,
}

/// Words after which a bracket opens a literal, not an index.
const OPERATORS: [&str; 16] = [
    "in", "and", "or", "not", "if", "else", "is", "elif", "do", "set", "return", "for", "with",
    "from", "import", "include",
];

impl Literals<'_> {
    fn run(mut self) -> String {
        let bytes = self.code.as_bytes();
        while self.at < bytes.len() {
            match bytes[self.at] {
                quote @ (b'\'' | b'"') => self.string(quote),
                b'[' => self.open('[', "]", "__l([", "])"),
                b'{' => {
                    self.operand = false;
                    self.open('{', "}", "__d({", "})");
                }
                close @ (b']' | b'}') => {
                    let plain = if close == b']' { "]" } else { "}" };
                    self.out.push_str(self.closers.pop().unwrap_or(plain));
                    self.step(true);
                }
                b')' => {
                    self.out.push(')');
                    self.step(true);
                }
                c if c.is_ascii_alphanumeric() || c == b'_' => self.word(),
                c if c.is_ascii_whitespace() => {
                    self.out.push(char::from(c));
                    self.at += 1;
                }
                _ => self.other(),
            }
        }
        self.out
    }

    fn step(&mut self, operand: bool) {
        self.at += 1;
        self.operand = operand;
    }

    fn open(&mut self, index: char, end: &'static str, literal: &str, literal_end: &'static str) {
        if self.operand {
            self.out.push(index);
            self.closers.push(end);
        } else {
            self.out.push_str(literal);
            self.closers.push(literal_end);
        }
        self.step(false);
    }

    fn word(&mut self) {
        let rest = &self.code[self.at..];
        let word = first_word(rest);
        let word = if word.is_empty() { &rest[..1] } else { word };
        self.out.push_str(word);
        self.at += word.len();
        self.operand = !OPERATORS.contains(&word);
    }

    fn other(&mut self) {
        let Some(c) = self.code[self.at..].chars().next() else { return };
        self.out.push(c);
        self.at += c.len_utf8();
        self.operand = false;
    }

    fn string(&mut self, quote: u8) {
        let bytes = self.code.as_bytes();
        let end = (quote_end(bytes, self.at, quote) + 1).min(bytes.len());
        self.out.push_str(&self.code[self.at..end]);
        self.at = end;
        self.operand = true;
        let mut next = skip_spaces(bytes, end);
        if bytes.get(next) == Some(&b'%') && bytes.get(next + 1) != Some(&b'}') {
            next = skip_spaces(bytes, next + 1);
            self.percent(next);
        }
    }

    /// `"..." % x` or `"..." % (x, y)`.
    fn percent(&mut self, start: usize) {
        self.out.push_str("|format");
        self.at = start;
        if self.code.as_bytes().get(start) == Some(&b'(') {
            self.operand = false;
            return;
        }
        let end = term_end(self.code.as_bytes(), start);
        let term = literals(&self.code[start..end]);
        self.out.push_str(&format!("({term})"));
        self.at = end;
        self.operand = true;
    }
}

fn skip_spaces(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at) == Some(&b' ') {
        at += 1;
    }
    at
}

/// Where the one term after `%` ends: a name with its attributes, calls and indices.
fn term_end(bytes: &[u8], start: usize) -> usize {
    let mut depth = 0;
    for (at, byte) in bytes.iter().enumerate().skip(start) {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' if depth > 0 => depth -= 1,
            c if depth == 0
                && !(c.is_ascii_alphanumeric() || matches!(c, b'_' | b'.' | b'\'' | b'"')) =>
            {
                return at;
            }
            _ => {}
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn salts_tags_become_minijinjas() {
        let check = |input: &str, expected: &str| assert_eq!(preprocess(input), expected);
        check("{% import_yaml 'a.yml' as x %}", "{% set x = __import_yaml( 'a.yml') %}");
        check("{%- do x.append(1) -%}", "{%- set __do = x.append(1) -%}");
        check("{% load_yaml as x -%}a: 1{% endload %}", "{% set x | load_yaml -%}a: 1{% endset %}");
        check("{{ [1, a[0]] }}", "{{ __l([1, a[0]]) }}");
        check("{{ {'a': [1]}['a'] }}", "{{ __d({'a': __l([1])})['a'] }}");
        check("{{ '%s-%s' % (a, b) }}", "{{ '%s-%s'|format(a, b) }}");
        check("{{ '%s' % a.b + 'x' }}", "{{ '%s'|format(a.b) + 'x' }}");
        check(
            "{% from 'm' import a with context %}",
            "{% from \"nc:\" ~ ( 'm')  import a with context %}",
        );
    }

    #[test]
    fn comments_raw_blocks_and_text_stay() {
        for text in ["{# [1] #}", "{% raw %}{{ [1] }}{% endraw %}", "plain [1] {a}", "{ {", "{{"] {
            assert_eq!(preprocess(text), text);
        }
    }

    #[test]
    fn lines_are_kept() {
        let text = "a\n{% import_yaml\n 'x' as\n y\n%}\n{{ [1,\n2] }}\n";
        let lines = |text: &str| text.matches('\n').count();
        assert_eq!(lines(&preprocess(text)), lines(text));
    }
}
