//! Jinja's `urlize`: addresses in a text become links.

use std::sync::LazyLock;

use minijinja::Error;
use minijinja::value::Value;
use regex::Regex;

use crate::render::jinja::args::Args;
use crate::render::jinja::ops;
use crate::render::markup::escaped;
use crate::render::python::{fault, repr, text};

static ADDRESS: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r"(?xi)^(?: (?:https?://|www\.) (?:(?:[\w%-]+\.)+)?
            (?:[a-z]{2,63}|xn--[\w%]{2,59})
        | (?:[\w%-]{2,63}\.)+(?:com|net|int|edu|gov|org|info|mil)
        | https?://(?: \d{1,3}(?:\.\d{1,3}){3} | \[(?:[\da-f]{0,4}:){2}(?:[\da-f]{0,4}:?){1,6}\] ) )
        (?::\d{1,5})? (?:[/?\#]\S*)?$";
    Regex::new(pattern).expect("a constant pattern")
});

static MAIL: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^\S+@\w[\w.-]*\.\w+$").expect("a constant pattern"));

static SCHEME: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^[\w.+-]{2,}:(/){0,2}$").expect("a constant pattern"));

/// Schemes that each word is compared to.
const SCHEMES_MAX: usize = 100;
const OPENING: [&str; 3] = ["(", "<", "&lt;"];
const CLOSING: [&str; 6] = [")", ">", ".", ",", "\n", "&gt;"];

/// How links are written.
struct Links {
    limit: Option<usize>,
    attributes: String,
    schemes: Vec<String>,
}

pub(super) fn urlize(value: &Value, args: &Args) -> Result<Value, Error> {
    let links = Links::of(args)?;
    let escaped = escaped(&text(value));
    let (mut out, mut rest) = (String::with_capacity(escaped.len()), escaped.as_str());
    while !rest.is_empty() {
        let space = rest.find(|c: char| !c.is_whitespace()).unwrap_or(rest.len());
        out.push_str(&rest[..space]);
        rest = &rest[space..];
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        out.push_str(&links.word(&rest[..end]));
        if out.len() > ops::TEXT_MAX {
            return Err(fault("the text with links is too large"));
        }
        rest = &rest[end..];
    }
    Ok(Value::from(out))
}

impl Links {
    fn of(args: &Args) -> Result<Links, Error> {
        let given = |at, name| args.get(at, name).filter(|value| !value.is_none());
        let limit = given(0, "trim_url_limit").is_some();
        let limit = if limit { Some(args.int(0, "trim_url_limit", 0)?) } else { None };
        let own = given(3, "rel").map(|rel| text(&rel)).unwrap_or_default();
        let mut rel: Vec<&str> = own.split_whitespace().chain(["noopener"]).collect();
        if args.flag(1, "nofollow", false) {
            rel.push("nofollow");
        }
        rel.sort_unstable();
        rel.dedup();
        let mut attributes = format!(" rel=\"{}\"", escaped(&rel.join(" ")));
        if let Some(target) = given(2, "target").map(|target| text(&target)) {
            attributes.push_str(&format!(" target=\"{}\"", escaped(&target)));
        }
        let schemes = given(4, "extra_schemes").map(|all| ops::iterate(&all)).transpose()?;
        let schemes: Vec<String> = schemes.unwrap_or_default().iter().map(text).collect();
        if schemes.len() > SCHEMES_MAX {
            return Err(fault("there are too many schemes"));
        }
        if let Some(wrong) = schemes.iter().find(|scheme| !SCHEME.is_match(scheme)) {
            let shown = repr(&Value::from(wrong.as_str()));
            return Err(fault(format!("{shown} is not a valid URI scheme prefix.")));
        }
        let limit = limit.map(|limit| usize::try_from(limit).unwrap_or_default());
        Ok(Links { limit, attributes, schemes })
    }

    fn word(&self, word: &str) -> String {
        let mut start = 0;
        while let Some(sign) = OPENING.iter().find(|sign| word[start..].starts_with(**sign)) {
            start += sign.len();
        }
        let mut end = word.len();
        while let Some(sign) = CLOSING.iter().find(|sign| word[start..end].ends_with(**sign)) {
            end -= sign.len();
        }
        // Brackets that the address itself opens are closed in it.
        for (open, close) in [("(", ")"), ("<", ">"), ("&lt;", "&gt;")] {
            let own = &word[start..end];
            let opened = own.matches(open).count();
            if opened <= own.matches(close).count() {
                continue;
            }
            for _ in 0..opened {
                let Some(at) = word[end..].find(close) else { break };
                end += at + close.len();
            }
        }
        let (head, tail) = (&word[..start], &word[end..]);
        format!("{head}{}{tail}", self.link(&word[start..end]))
    }

    fn link(&self, address: &str) -> String {
        let attributes = &self.attributes;
        if ADDRESS.is_match(address) {
            let whole = ["https://", "http://"].iter().any(|scheme| address.starts_with(scheme));
            let scheme = if whole { "" } else { "https://" };
            let shown = self.trimmed(address);
            return format!("<a href=\"{scheme}{address}\"{attributes}>{shown}</a>");
        }
        let mail = address.strip_prefix("mailto:").filter(|mail| MAIL.is_match(mail));
        if let Some(mail) = mail {
            return format!("<a href=\"{address}\">{mail}</a>");
        }
        let bare = !address.starts_with("www.") && !address.starts_with('@');
        if bare && !address.contains(':') && MAIL.is_match(address) {
            return format!("<a href=\"mailto:{address}\">{address}</a>");
        }
        let known = |scheme: &String| address != scheme && address.starts_with(scheme.as_str());
        if self.schemes.iter().any(known) {
            return format!("<a href=\"{address}\"{attributes}>{address}</a>");
        }
        address.to_owned()
    }

    fn trimmed(&self, address: &str) -> String {
        match self.limit {
            Some(limit) if address.chars().count() > limit => {
                let kept: String = address.chars().take(limit).collect();
                format!("{kept}...")
            }
            _ => address.to_owned(),
        }
    }
}
