//! What a cloud's refusals mean: from status and text to a kind, and to a sentence for operators.
//!
//! The status alone does not say it: a quota and a missing right are both 403, an image that is
//! not there is 400. So the text is looked at, which no contract fixes; what is not recognised is
//! taken for what its status says.

use crate::provider::{Error, ErrorKind};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde_json::Value;
use std::time::{Duration, SystemTime};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// How much of a cloud's text is told.
const TEXT_CHARS_MAX: usize = 400;
/// The headers in which services give the request's id.
const REQUEST_ID: &[&str] = &["x-openstack-request-id", "x-compute-request-id"];

/// What a cloud answered instead of what was asked for; the source of the provider's error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("status {status}, request {}", request_id.as_deref().unwrap_or("without id"))]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The service's own words.
    pub message: String,
    /// What the cloud's logs call the request.
    pub request_id: Option<String>,
}

/// An answer that is an error, as the provider's error.
pub(super) fn refused(doing: &str, status: u16, headers: &HeaderMap, body: &[u8]) -> Error {
    let message = text_of(body);
    let kind = kind_of(status, &message, headers.contains_key(RETRY_AFTER));
    let header = |name: &&str| headers.get(*name).and_then(|value| value.to_str().ok());
    let request_id = REQUEST_ID.iter().find_map(header).map(str::to_owned);
    let request = request_id.as_ref().map(|id| format!(", request {id}")).unwrap_or_default();
    let said = if message.is_empty() { "without a reason" } else { message.as_str() };
    let text = format!("{doing}: the cloud answered {status} ({said}{request}); {}", advice(kind));
    let error = Error::new(kind, text).caused_by(Refusal { status, message, request_id });
    match retry_after(headers) {
        Some(wait) => error.with_retry_after(wait),
        None => error,
    }
}

/// What the text of a server's fault means for the next server.
pub(super) fn kind_of_fault(text: &str) -> ErrorKind {
    let text = text.to_lowercase();
    if text.contains("quota") {
        ErrorKind::Quota
    } else if is_full(&text) {
        ErrorKind::Capacity
    } else {
        ErrorKind::Transient
    }
}

fn kind_of(status: u16, message: &str, has_retry_after: bool) -> ErrorKind {
    let text = message.to_lowercase();
    match status {
        401 => ErrorKind::Auth,
        403 | 413 if text.contains("quota") || text.contains("limit exceeded") => ErrorKind::Quota,
        403 => ErrorKind::Auth,
        413 if has_retry_after => ErrorKind::Rate,
        429 => ErrorKind::Rate,
        404 | 410 => ErrorKind::Gone,
        409 => ErrorKind::Conflict,
        400 if is_absent(&text) => ErrorKind::Gone,
        400..=499 if is_full(&text) => ErrorKind::Capacity,
        408 | 425 | 500..=599 => ErrorKind::Transient,
        _ => ErrorKind::Invalid,
    }
}

/// Nova's words for an image, flavor, network, key or group that is not there.
fn is_absent(text: &str) -> bool {
    [
        "could not be found",
        "can not find",
        "can't be found",
        "unable to find",
        "not found",
        "invalid key_name",
    ]
    .iter()
    .any(|words| text.contains(words))
}

fn is_full(text: &str) -> bool {
    [
        "no valid host",
        "not enough hosts",
        "exceeded max scheduling attempts",
        "no more ip addresses",
    ]
    .iter()
    .any(|words| text.contains(words))
}

/// What an operator does about it.
pub(super) fn advice(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Capacity => "wait for room, or give the pool another flavor or zone",
        ErrorKind::Quota => "raise the project's quota, or lower the pool's max",
        ErrorKind::Rate => "it is tried again later; if this goes on, lower launches_max",
        ErrorKind::Auth => "check the credentials in clouds.yaml and the user's roles",
        ErrorKind::Invalid => "correct the settings of the pool and its provider",
        ErrorKind::Conflict => {
            "it is tried again; if this goes on, see the server's state and lock"
        }
        ErrorKind::Gone => "name one that the project has, or add it",
        ErrorKind::Transient => "it is looked after; if this goes on, check the cloud's services",
    }
}

/// The reason within an answer: `{"forbidden": {"message": …}}`, `{"NeutronError": …}`, HTML.
fn text_of(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let parsed: Option<Value> = serde_json::from_str(&text).ok();
    let said = match &parsed {
        Some(value) => message_in(value).unwrap_or_default().to_owned(),
        None => without_tags(&text),
    };
    tidy(&said)
}

fn message_in(value: &Value) -> Option<&str> {
    let object = value.as_object()?;
    let mut own =
        ["message", "detail", "title"].iter().filter_map(|key| object.get(*key)?.as_str());
    own.find(|text| !text.is_empty()).or_else(|| {
        object.values().find_map(|inner| match inner {
            Value::Array(list) => list.first().and_then(message_in),
            inner => message_in(inner),
        })
    })
}

fn without_tags(html: &str) -> String {
    let mut parts = html.split('<');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for (_, rest) in parts.filter_map(|part| part.split_once('>')) {
        text.push(' ');
        text.push_str(rest);
    }
    text
}

/// One line, not too long, without a full stop.
pub(super) fn tidy(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    let line = line.trim_end_matches('.');
    match line.char_indices().nth(TEXT_CHARS_MAX) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line.to_owned(),
    }
}

/// `Retry-After`, in seconds or as a date.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let at = OffsetDateTime::parse(&text.replace("GMT", "+0000"), &Rfc2822).ok()?;
    Some(SystemTime::from(at).duration_since(SystemTime::now()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error as _;

    fn check(status: u16, body: &str, kind: ErrorKind, words: &str) {
        let mut headers = HeaderMap::new();
        headers.insert(REQUEST_ID[0], "req-1".parse().unwrap());
        let error = refused("creating c-1", status, &headers, body.as_bytes());
        assert_eq!(error.kind(), kind, "{error}");
        let text = error.to_string();
        assert!(text.contains(words) && text.contains("req-1"), "{text}");
        assert!(text.ends_with(advice(kind)), "{text}");
        let refusal: &Refusal = error.source().unwrap().downcast_ref().unwrap();
        assert_eq!((refusal.status, refusal.request_id.as_deref()), (status, Some("req-1")));
    }

    #[test]
    fn the_text_tells_apart_what_the_status_does_not() {
        let quota = r#"{"forbidden": {"code": 403, "message":
            "Quota exceeded for instances: Requested 1, but already used 1 of 1 instances"}}"#;
        check(403, quota, ErrorKind::Quota, "already used 1 of 1 instances,");
        let policy = r#"{"forbidden": {"code": 403, "message": "Policy doesn't allow x."}}"#;
        check(403, policy, ErrorKind::Auth, "(Policy doesn't allow x, request");
        let image = r#"{"badRequest": {"code": 400, "message": "Can not find requested image"}}"#;
        check(400, image, ErrorKind::Gone, "requested image");
        let flavor = r#"{"badRequest": {"message": "Flavor x could not be found."}}"#;
        check(400, flavor, ErrorKind::Gone, "Flavor x");
        let group = r#"{"badRequest": {"message":
            "Unable to find security_group with name or id 'x'"}}"#;
        check(400, group, ErrorKind::Gone, "security_group with name");
        let input = r#"{"badRequest": {"message": "Invalid input for field/attribute name"}}"#;
        check(400, input, ErrorKind::Invalid, "field/attribute");
        let neutron = r#"{"NeutronError": {"type": "x", "detail": "",
            "message": "No more IP addresses available on network n."}}"#;
        check(400, neutron, ErrorKind::Capacity, "network n,");
        check(
            409,
            r#"{"conflictingRequest": {"message": "Instance is locked"}}"#,
            ErrorKind::Conflict,
            "is locked",
        );
    }

    #[test]
    fn a_gateways_page_is_told_as_its_words() {
        let page = "<html><head><title>504 Gateway Time-out</title></head>\n<body>late</body>";
        check(504, page, ErrorKind::Transient, "504 (504 Gateway Time-out late, request");
        check(502, "", ErrorKind::Transient, "502 (without a reason, request");
        let long = refused("x", 500, &HeaderMap::new(), "word ".repeat(4000).as_bytes());
        assert!(long.to_string().chars().count() < TEXT_CHARS_MAX + 200);
    }

    #[test]
    fn a_wait_is_given_in_seconds_or_as_a_date() {
        for (text, low, high) in [("7", 7, 7), ("Fri, 31 Dec 2100 23:59:59 GMT", 1 << 30, 1 << 33)]
        {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().unwrap());
            let error = refused("x", 429, &headers, b"{}");
            let wait = error.retry_after().unwrap().as_secs();
            assert!(error.kind() == ErrorKind::Rate && (low..=high).contains(&wait), "{wait}");
        }
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }

    #[test]
    fn a_servers_fault_tells_what_the_next_one_may_expect() {
        let full = "No valid host was found. There are not enough hosts available.";
        assert_eq!(kind_of_fault(full), ErrorKind::Capacity);
        assert_eq!(kind_of_fault("Exceeded max scheduling attempts 3"), ErrorKind::Capacity);
        assert_eq!(kind_of_fault("VolumeLimitExceeded: quota"), ErrorKind::Quota);
        assert_eq!(kind_of_fault("Build of instance x aborted"), ErrorKind::Transient);
    }
}
