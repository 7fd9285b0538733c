//! `G@os:Debian and not web* or ( L@a,b )`: Salt's compound matcher, and node groups.

use serde_json::Value;

use super::{Subject, TargetError, invalid};

/// Node groups, or parentheses, that may stand in each other.
const DEPTH_MAX: usize = 16;

/// One word of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    And,
    Or,
    Not,
    Open,
    Close,
    Value(bool),
}

/// Judges the words of an expression; `not` binds first, then `and`, then `or`.
pub(super) fn matches(
    subject: &Subject<'_>,
    expression: &str,
    words: Vec<String>,
) -> Result<bool, TargetError> {
    let mut judged: Vec<Word> = Vec::new();
    for word in expanded(words, subject.nodegroups, 0) {
        let word = match word.as_str() {
            "and" => Word::And,
            "or" => Word::Or,
            "not" => {
                // A `not` behind an operand means `and not`.
                if matches!(judged.last(), Some(Word::Value(_) | Word::Close | Word::Not)) {
                    judged.push(Word::And);
                }
                Word::Not
            }
            "(" => Word::Open,
            ")" => Word::Close,
            word => Word::Value(operand(subject, word)?),
        };
        judged.push(word);
    }
    let mut parser = Parser { words: &judged, at: 0, depth: 0, expression };
    let value = parser.any()?;
    if parser.at < judged.len() {
        return Err(invalid(expression, "an operator is missing between two targets"));
    }
    Ok(value)
}

/// A letter, for some a delimiter, `@` and a pattern; without these, a glob.
fn operand(subject: &Subject<'_>, word: &str) -> Result<bool, TargetError> {
    let Some((kind, by, pattern)) = engine(word) else { return subject.matches("glob", word) };
    let kind = match kind {
        'G' => "grain",
        'P' => "grain_pcre",
        'I' => "pillar",
        'J' => "pillar_pcre",
        'L' => "list",
        'S' => "ipcidr",
        'E' => "pcre",
        other => return Err(TargetError::Unsupported(format!("{other}@"))),
    };
    let by = by.map_or_else(|| ":".to_owned(), String::from);
    subject.matches_by(kind, pattern, &by)
}

fn engine(word: &str) -> Option<(char, Option<char>, &str)> {
    let mut letters = word.chars();
    let kind = letters.next().filter(|kind| "GPIJLNSERTM".contains(*kind))?;
    let rest = letters.as_str();
    let found = match rest.strip_prefix('@') {
        Some(pattern) => (kind, None, pattern),
        None => {
            let by = rest.chars().next().filter(|_| "GPIJ".contains(kind))?;
            (kind, Some(by), rest[by.len_utf8()..].strip_prefix('@')?)
        }
    };
    Some(found).filter(|(.., pattern)| !pattern.is_empty())
}

/// Puts the words of node groups in place of `N@name`.
fn expanded(words: Vec<String>, nodegroups: Option<&Value>, depth: usize) -> Vec<String> {
    let mut out = Vec::new();
    for word in words {
        match word.strip_prefix("N@") {
            Some(name) if depth < DEPTH_MAX => {
                let Some(inner) = nodegroup(name, nodegroups) else { continue };
                let inner = expanded(inner, nodegroups, depth + 1);
                if !inner.is_empty() {
                    out.push("(".to_owned());
                    out.extend(inner);
                    out.push(")".to_owned());
                }
            }
            Some(_) => {}
            None => out.push(word),
        }
    }
    out
}

/// The words of a node group: an expression, or a list of names (`L@` is understood).
pub(super) fn nodegroup(name: &str, nodegroups: Option<&Value>) -> Option<Vec<String>> {
    let words: Vec<String> = match nodegroups?.get(name)? {
        Value::String(text) => text.split_whitespace().map(str::to_owned).collect(),
        Value::Array(items) => {
            let text = |item: &Value| item.as_str().map_or_else(|| item.to_string(), str::to_owned);
            items.iter().map(text).collect()
        }
        _ => return None,
    };
    let is_operator = |word: &str| ["and", "or", "not", "(", ")"].contains(&word);
    let is_typed = |word: &String| {
        let mut letters = word.chars();
        let typed = letters.next().is_some_and(|c| c.is_ascii_uppercase());
        word.contains('*') || is_operator(word) || (typed && letters.next() == Some('@'))
    };
    if words.iter().any(is_typed) {
        return Some(words);
    }
    let regex = words.iter().any(|word| word.contains(['(', '[', '{', '\\', '?', '}', ']', ')']));
    Some(vec![format!("{}@{}", if regex { 'E' } else { 'L' }, words.join(","))])
}

struct Parser<'a> {
    words: &'a [Word],
    at: usize,
    depth: usize,
    expression: &'a str,
}

impl Parser<'_> {
    fn next_is(&mut self, word: Word) -> bool {
        let yes = self.words.get(self.at) == Some(&word);
        self.at += usize::from(yes);
        yes
    }

    fn any(&mut self) -> Result<bool, TargetError> {
        let mut value = self.all()?;
        while self.next_is(Word::Or) {
            value |= self.all()?;
        }
        Ok(value)
    }

    fn all(&mut self) -> Result<bool, TargetError> {
        let mut value = self.one()?;
        while self.next_is(Word::And) {
            value &= self.one()?;
        }
        Ok(value)
    }

    fn one(&mut self) -> Result<bool, TargetError> {
        if self.next_is(Word::Not) {
            return Ok(!self.one()?);
        }
        if self.next_is(Word::Open) {
            self.depth += 1;
            if self.depth > DEPTH_MAX {
                return Err(invalid(self.expression, "it nests too deep"));
            }
            let value = self.any()?;
            self.depth -= 1;
            let closed = self.next_is(Word::Close);
            return match closed {
                true => Ok(value),
                false => Err(invalid(self.expression, "a ')' is missing")),
            };
        }
        match self.words.get(self.at) {
            Some(Word::Value(value)) => {
                self.at += 1;
                Ok(*value)
            }
            Some(Word::And | Word::Or | Word::Not | Word::Open | Word::Close) => {
                Err(invalid(self.expression, "an operator has no target before it"))
            }
            None => Err(invalid(self.expression, "it ends too early")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Facts;
    use serde_json::json;

    #[test]
    fn node_groups_stand_for_expressions_and_lists_of_names() {
        let facts: Facts = serde_json::from_value(json!({"os": "Debian"})).unwrap();
        let groups = json!({
            "names": ["w1", "w2"], "text": "a,w1", "deb": "G@os:Debian",
            "both": "N@deb and N@names",
            "regex": ["w[0-9]"], "not": "not N@names",
        });
        let subject =
            Subject { id: "w1", facts: &facts, pillar: &json!({}), nodegroups: Some(&groups) };
        for (name, expected) in [
            ("names", true),
            ("text", true),
            ("deb", true),
            ("both", true),
            ("regex", true),
            ("not", false),
            ("nope", false),
        ] {
            assert_eq!(subject.matches("nodegroup", name), Ok(expected), "{name}");
        }
        assert_eq!(subject.matches("compound", "x or N@both"), Ok(true));
    }
}
