//! One thing that was looked at.

use crate::failure::Failure;
use crate::output::{Output, Style, clean};
use serde::Serialize;

/// How it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    /// As it should be.
    Ok,
    /// It works, and should be looked at.
    Warn,
    /// It does not work.
    Fail,
}

/// One line of the findings.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Check {
    name: &'static str,
    status: Status,
    detail: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    next: String,
}

impl Check {
    /// As it should be.
    pub(super) fn ok(name: &'static str, detail: impl Into<String>) -> Check {
        Check { name, status: Status::Ok, detail: detail.into(), next: String::new() }
    }

    /// To be looked at.
    pub(super) fn warn(
        name: &'static str,
        detail: impl Into<String>,
        next: impl Into<String>,
    ) -> Check {
        Check { name, status: Status::Warn, detail: detail.into(), next: next.into() }
    }

    /// Not working.
    pub(super) fn fail(
        name: &'static str,
        detail: impl Into<String>,
        next: impl Into<String>,
    ) -> Check {
        Check { name, status: Status::Fail, detail: detail.into(), next: next.into() }
    }

    /// Not working, as an error says.
    pub(super) fn failed(name: &'static str, failure: &Failure) -> Check {
        Check::fail(name, failure.text(), failure.next())
    }

    /// How it is.
    pub(super) fn status(&self) -> Status {
        self.status
    }

    /// `ok    nats        2.11.4`, and below it what to do next.
    pub(super) fn lines(&self, output: &Output) -> String {
        let (word, style) = match self.status {
            Status::Ok => ("ok", Style::Good),
            Status::Warn => ("warn", Style::Busy),
            Status::Fail => ("FAIL", Style::Bad),
        };
        let word = output.paint(style, &format!("{word:<4}"));
        let detail = clean(&self.detail).replace('\n', " ");
        let mut text = format!("{word}  {:<11}  {detail}\n", self.name);
        if !self.next.is_empty() {
            text.push_str(&format!("{:>19}next: {}\n", "", clean(&self.next)));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Format;

    #[test]
    fn a_check_is_a_line_and_what_to_do() {
        let output = Output::new(Format::Table);
        assert_eq!(Check::ok("nats", "2.11.4").lines(&output), "ok    nats         2.11.4\n");
        let warn = Check::warn("workers", "1 lost: a", "muster worker show a").lines(&output);
        let expected =
            "warn  workers      1 lost: a\n                   next: muster worker show a\n";
        assert_eq!(warn, expected);
    }
}
