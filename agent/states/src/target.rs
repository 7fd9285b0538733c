//! Which worker a target means: Salt's top-file matchers, and operators' `compute-*` or `a,b`.

mod compound;
mod subdict;

use std::net::IpAddr;

use serde_json::Value;

use crate::facts::Facts;
use crate::regex::python_regex;
use subdict::subdict;

/// Why a target could not be judged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Salt has this matcher, this engine does not.
    #[error(
        "the matcher '{0}' is not supported: use glob, list, pcre, grain, pillar, ipcidr, \
         nodegroup or compound"
    )]
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

/// What is known of a worker, for Salt's matchers to judge.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Its name.
    pub id: &'a str,
    /// What it is.
    pub facts: &'a Facts,
    /// Its data.
    pub pillar: &'a Value,
    /// Salt's option of that name: expressions by name.
    pub nodegroups: Option<&'a Value>,
}

/// Whether `expression` of the matcher `kind` (Salt's names) means this worker.
pub fn matches(
    kind: &str,
    expression: &str,
    id: &str,
    facts: &Facts,
    pillar: &Value,
) -> Result<bool, TargetError> {
    Subject { id, facts, pillar, nodegroups: None }.matches(kind, expression)
}

impl Subject<'_> {
    /// Whether `expression` of the matcher `kind` (Salt's names) means this worker.
    ///
    /// # Errors
    /// When the matcher is not known, or the expression does not parse; Salt lets the second mean
    /// nobody.
    pub fn matches(&self, kind: &str, expression: &str) -> Result<bool, TargetError> {
        self.matches_by(kind, expression, ":")
    }

    fn matches_by(&self, kind: &str, expression: &str, by: &str) -> Result<bool, TargetError> {
        let same = |pattern: &str, text: &str| glob(&pattern.to_lowercase(), &text.to_lowercase());
        let exact = |pattern: &str, text: &str| pattern.to_lowercase() == text.to_lowercase();
        let regex = |pattern: &str, text: &str| {
            let compiled = start_regex(&pattern.to_lowercase());
            compiled.is_ok_and(|regex| regex.is_match(&text.to_lowercase()))
        };
        let (facts, pillar) = (self.facts.as_map(), self.pillar.as_object());
        let in_pillar = |same: subdict::Same<'_>| {
            pillar.is_some_and(|pillar| subdict(pillar, expression, by, same))
        };
        Ok(match kind {
            "glob" => glob(expression, self.id),
            "list" => self.in_list(expression),
            "pcre" => start_regex(expression)
                .map_err(|error| invalid(expression, error.to_string()))?
                .is_match(self.id),
            "grain" => subdict(facts, expression, by, &same),
            "grain_pcre" => subdict(facts, expression, by, &regex),
            "pillar" => in_pillar(&same),
            "pillar_pcre" => in_pillar(&regex),
            "pillar_exact" => in_pillar(&exact),
            "ipcidr" => self.in_network(expression)?,
            "compound" => {
                let words = expression.split_whitespace().map(str::to_owned).collect();
                compound::matches(self, expression, words)?
            }
            "nodegroup" => match compound::nodegroup(expression, self.nodegroups) {
                Some(words) => compound::matches(self, expression, words)?,
                None => false,
            },
            other => return Err(TargetError::Unsupported(other.to_owned())),
        })
    }

    /// Commas part the names; blanks are part of them.
    fn in_list(&self, expression: &str) -> bool {
        expression.split(',').any(|name| name == self.id)
    }

    fn in_network(&self, expression: &str) -> Result<bool, TargetError> {
        let (base, bits) = match expression.split_once('/') {
            Some((base, bits)) => (base, Some(bits)),
            None => (expression, None),
        };
        let base: IpAddr = base.parse().map_err(|_| invalid(expression, "not an address"))?;
        let (name, width) = if base.is_ipv4() { ("ipv4", 32) } else { ("ipv6", 128) };
        let shift = match bits {
            None => 0,
            Some(bits) => width_of(bits, base)
                .and_then(|bits| u32::checked_sub(width, bits))
                .ok_or_else(|| invalid(expression, "not a prefix length"))?,
        };
        let cut = |ip: IpAddr| number(ip).checked_shr(shift).unwrap_or(0);
        if cut(base).checked_shl(shift).unwrap_or(0) != number(base) {
            return Err(invalid(expression, "the address has host bits set"));
        }
        let own = self.facts.get(name).and_then(Value::as_array).into_iter().flatten();
        let mut own = own.filter_map(|address| address.as_str()?.parse::<IpAddr>().ok());
        Ok(own.any(|address| address.is_ipv4() == base.is_ipv4() && cut(address) == cut(base)))
    }
}

/// Bits of `24`, or of `255.255.255.0`.
fn width_of(bits: &str, base: IpAddr) -> Option<u32> {
    if let Ok(bits) = bits.parse() {
        return Some(bits);
    }
    match (base, bits.parse().ok()?) {
        (IpAddr::V4(_), IpAddr::V4(mask)) => {
            let mask = u32::from(mask);
            (mask.leading_ones() + mask.trailing_zeros() >= 32).then(|| mask.leading_ones())
        }
        (IpAddr::V4(_) | IpAddr::V6(_), _) => None,
    }
}

fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => u128::from(u32::from(ip)),
        IpAddr::V6(ip) => u128::from(ip),
    }
}

fn invalid(expression: &str, reason: impl Into<String>) -> TargetError {
    TargetError::Invalid { expression: expression.to_owned(), reason: reason.into() }
}

/// Salt matches from the start, not to the end.
fn start_regex(pattern: &str) -> Result<crate::regex::Regex, crate::regex::RegexError> {
    python_regex(&format!("^(?:{pattern})"), false, false, false)
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
        check("list", "a,w1", true);
        check("list", "a, w1", false);
        check("ipcidr", "10.0.0.0/8", true);
        check("ipcidr", "10.1.2.4", false);
        check("compound", "G@os:Debian and not L@a,b or web*", true);
        check("compound", "not ( w* or x )", false);
        check("compound", "web not x", false);
        check("compound", "w1 not x", true);
        check("compound", "G|@os|Debian and P@role:c.* and I@env:prod", true);
        check("compound", "Q@x or w1", true);
        check("ipcidr", "10.1.0.0/255.255.0.0", true);
        check("nodegroup", "x", false);
        assert!(matches("data", "x", "w1", &facts, &pillar).is_err());
        assert!(matches("ipcidr", "10.1.2.3/8", "w1", &facts, &pillar).is_err());
        assert!(matches("compound", "( w1", "w1", &facts, &pillar).is_err());
    }
}
