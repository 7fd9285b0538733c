//! Which worker a target means: Salt's top-file matchers, and operators' `compute-*` or `a,b`.

use std::net::IpAddr;

use serde_json::Value;

use crate::data::traverse;
use crate::facts::Facts;
use crate::regex::python_regex;

/// Why a target could not be judged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Salt has this matcher, this engine does not.
    #[error("the matcher '{0}' is not supported: use glob, list, pcre, grain, pillar or compound")]
    Unsupported(String),
    /// The expression does not parse.
    #[error("the target '{expression}' is not valid: {reason}")]
    Invalid {
        /// The whole expression.
        expression: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// Whether an operator's target means `name`: globs, separated by commas.
pub fn selects(target: &str, name: &str) -> bool {
    target.split(',').map(str::trim).any(|pattern| !pattern.is_empty() && glob(pattern, name))
}

/// Python's `fnmatch`: `*`, `?`, `[seq]`, `[!seq]`.
pub fn glob(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        let step = match pattern.get(p) {
            Some('*') => {
                retry = Some((p, t));
                p += 1;
                continue;
            }
            Some('?') => Some(1),
            Some('[') => set(&pattern[p..], text[t]),
            Some(c) => (*c == text[t]).then_some(1),
            None => None,
        };
        match (step, retry) {
            (Some(step), _) => (p, t) = (p + step, t + 1),
            (None, Some((star, from))) => {
                (p, t) = (star + 1, from + 1);
                retry = Some((star, from + 1));
            }
            (None, None) => return false,
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// Matches one character against `[..]`; the length of the set if it matches.
fn set(pattern: &[char], c: char) -> Option<usize> {
    let negated = pattern.get(1) == Some(&'!');
    let first = if negated { 2 } else { 1 };
    // A `]` right after the opening is a member.
    let Some(len) = pattern.iter().skip(first + 1).position(|c| *c == ']') else {
        return (c == '[').then_some(1);
    };
    let members = &pattern[first..first + 1 + len];
    let mut found = false;
    let mut at = 0;
    while at < members.len() {
        if at + 2 < members.len() && members[at + 1] == '-' {
            found |= (members[at]..=members[at + 2]).contains(&c);
            at += 3;
        } else {
            found |= members[at] == c;
            at += 1;
        }
    }
    (found != negated).then_some(first + 1 + len + 1)
}

/// Whether `expression` of the matcher `kind` (Salt's names) means this worker.
pub fn matches(
    kind: &str,
    expression: &str,
    id: &str,
    facts: &Facts,
    pillar: &Value,
) -> Result<bool, TargetError> {
    let grains = || Value::Object(facts.as_map().clone());
    let regex = |pattern: &str| compiled(pattern, expression);
    Ok(match kind {
        "glob" => glob(expression, id),
        "list" => expression.split(',').any(|name| name.trim() == id),
        "pcre" => regex(expression)?.is_match(id),
        "grain" => subdict(&grains(), expression, &|pattern, text| Ok(fold_glob(pattern, text)))?,
        "grain_pcre" => subdict(&grains(), expression, &|pattern, text| {
            Ok(compiled(&pattern.to_lowercase(), expression)?.is_match(&text.to_lowercase()))
        })?,
        "pillar" => subdict(pillar, expression, &|pattern, text| Ok(fold_glob(pattern, text)))?,
        "pillar_pcre" => subdict(pillar, expression, &|pattern, text| {
            Ok(compiled(&pattern.to_lowercase(), expression)?.is_match(&text.to_lowercase()))
        })?,
        "pillar_exact" => subdict(pillar, expression, &|pattern, text| {
            Ok(pattern.to_lowercase() == text.to_lowercase())
        })?,
        "ipcidr" => in_network(expression, facts)?,
        "compound" => compound(expression, id, facts, pillar)?,
        other => return Err(TargetError::Unsupported(other.to_owned())),
    })
}

fn fold_glob(pattern: &str, text: &str) -> bool {
    glob(&pattern.to_lowercase(), &text.to_lowercase())
}

fn invalid(expression: &str, reason: impl Into<String>) -> TargetError {
    TargetError::Invalid { expression: expression.to_owned(), reason: reason.into() }
}

fn compiled(pattern: &str, expression: &str) -> Result<crate::regex::Regex, TargetError> {
    // Salt matches from the start, not to the end.
    python_regex(&format!("^(?:{pattern})"), false, false, false)
        .map_err(|error| invalid(expression, error.to_string()))
}

type Compare<'a> = &'a dyn Fn(&str, &str) -> Result<bool, TargetError>;

/// `a:b:pattern`: tries every border between key and pattern.
fn subdict(data: &Value, expression: &str, same: Compare<'_>) -> Result<bool, TargetError> {
    let parts: Vec<&str> = expression.split(':').collect();
    for border in 1..=parts.len() {
        let (key, pattern) = (parts[..border].join(":"), parts[border..].join(":"));
        let Some(found) = traverse(data, &key, ":") else { continue };
        let hit = match found {
            Value::Object(_) => pattern == "*",
            Value::Array(items) => {
                let mut hit = false;
                for item in items {
                    hit |= same(&pattern, &plain(item))?;
                }
                hit
            }
            scalar => same(&pattern, &plain(scalar))?,
        };
        if hit {
            return Ok(true);
        }
    }
    Ok(false)
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Null => "None".to_owned(),
        other => other.to_string(),
    }
}

fn in_network(expression: &str, facts: &Facts) -> Result<bool, TargetError> {
    let (base, bits) = expression.split_once('/').unwrap_or((expression, ""));
    let base: IpAddr = base.parse().map_err(|_| invalid(expression, "not an address"))?;
    let (name, width) = if base.is_ipv4() { ("ipv4", 32) } else { ("ipv6", 128) };
    let bits: u32 = match bits {
        "" => width,
        bits => bits.parse().map_err(|_| invalid(expression, "not a prefix length"))?,
    };
    let shift = width.checked_sub(bits).ok_or_else(|| invalid(expression, "prefix too long"))?;
    let cut = |ip: IpAddr| number(ip).checked_shr(shift).unwrap_or(0);
    let own = facts.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let own = own.iter().filter_map(|address| address.as_str()?.parse::<IpAddr>().ok());
    Ok(own.into_iter().any(|address| cut(address) == cut(base)))
}

fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => u128::from(u32::from(ip)),
        IpAddr::V6(ip) => u128::from(ip),
    }
}

/// `G@os:Debian and not web* or ( L@a,b )`; `not` binds first, then `and`, then `or`.
fn compound(
    expression: &str,
    id: &str,
    facts: &Facts,
    pillar: &Value,
) -> Result<bool, TargetError> {
    let words: Vec<&str> = expression.split_whitespace().collect();
    let mut parser = Compound { words: &words, at: 0, expression, id, facts, pillar };
    let value = parser.any()?;
    if parser.at < words.len() {
        return Err(invalid(expression, format!("unexpected '{}'", words[parser.at])));
    }
    Ok(value)
}

struct Compound<'a> {
    words: &'a [&'a str],
    at: usize,
    expression: &'a str,
    id: &'a str,
    facts: &'a Facts,
    pillar: &'a Value,
}

impl Compound<'_> {
    fn next_is(&mut self, word: &str) -> bool {
        let yes = self.words.get(self.at) == Some(&word);
        self.at += usize::from(yes);
        yes
    }

    fn any(&mut self) -> Result<bool, TargetError> {
        let mut value = self.all()?;
        while self.next_is("or") {
            value |= self.all()?;
        }
        Ok(value)
    }

    fn all(&mut self) -> Result<bool, TargetError> {
        let mut value = self.one()?;
        while self.next_is("and") {
            value &= self.one()?;
        }
        Ok(value)
    }

    fn one(&mut self) -> Result<bool, TargetError> {
        if self.next_is("not") {
            return Ok(!self.one()?);
        }
        if self.next_is("(") {
            let value = self.any()?;
            return if self.next_is(")") {
                Ok(value)
            } else {
                Err(invalid(self.expression, "a ')' is missing"))
            };
        }
        let Some(word) = self.words.get(self.at) else {
            return Err(invalid(self.expression, "it ends too early"));
        };
        self.at += 1;
        let (kind, expression) = match word.split_once('@') {
            Some(("G", rest)) => ("grain", rest),
            Some(("P", rest)) => ("grain_pcre", rest),
            Some(("I", rest)) => ("pillar", rest),
            Some(("J", rest)) => ("pillar_pcre", rest),
            Some(("L", rest)) => ("list", rest),
            Some(("E", rest)) => ("pcre", rest),
            Some(("S", rest)) => ("ipcidr", rest),
            Some((letter, _)) => return Err(TargetError::Unsupported(format!("{letter}@"))),
            None => ("glob", *word),
        };
        matches(kind, expression, self.id, self.facts, self.pillar)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn globs_match_as_fnmatch_does() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("web*", "web1", true),
            ("web*", "db", false),
            ("w?b", "web", true),
            ("w[ea]b", "wab", true),
            ("w[!e]b", "web", false),
            ("w[0-9]", "w5", true),
            ("*-*-x", "a-b-c-x", true),
            ("[", "[", true),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "aXbY", false),
        ] {
            assert_eq!(glob(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn operators_name_workers_by_globs_and_lists() {
        assert!(selects("compute-*", "compute-0007"));
        assert!(selects("a, b", "b"));
        assert!(!selects("a,b", "c"));
        assert!(!selects("", "c"));
    }

    #[test]
    fn matchers_judge_facts_and_pillar() {
        let facts: Facts = serde_json::from_value(json!({
            "os": "Debian", "roles": ["x", "y"], "n": {"e": "s"}, "ipv4": ["10.1.2.3"],
            "role": "compute",
        }))
        .unwrap();
        let pillar = json!({"env": "prod"});
        let check = |kind: &str, expression: &str, expected: bool| {
            assert_eq!(
                matches(kind, expression, "w1", &facts, &pillar),
                Ok(expected),
                "{expression}"
            );
        };
        check("grain", "os:deb*", true);
        check("grain", "roles:y", true);
        check("grain", "n:e:s", true);
        check("grain", "os:Rocky", false);
        check("grain_pcre", "role:^c.*e$", true);
        check("pillar", "env:prod", true);
        check("pcre", "w\\d", true);
        check("pcre", "1", false);
        check("list", "a, w1", true);
        check("ipcidr", "10.0.0.0/8", true);
        check("ipcidr", "10.1.2.4", false);
        check("compound", "G@os:Debian and not L@a,b or web*", true);
        check("compound", "not ( w* or x )", false);
        assert!(matches("nodegroup", "x", "w1", &facts, &pillar).is_err());
        assert!(matches("compound", "( w1", "w1", &facts, &pillar).is_err());
    }
}
