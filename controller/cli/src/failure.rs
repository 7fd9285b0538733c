//! How a command ends: its exit code, or an error that says what to do next.

use crate::output;
use muster_protocol::api::{Refusal, RefusalKind};
use muster_protocol::bus;
use std::process::ExitCode;

/// What a command's end tells the shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All that was asked was done.
    Ok,
    /// The call itself did not work.
    Error,
    /// Some workers failed.
    SomeFailed,
    /// No worker failed, but some did not answer, or were not where they should be in time.
    SomeSilent,
    /// Stopped by Ctrl-C or SIGTERM before it was done.
    Interrupted,
    /// Whoever read the output has gone.
    PipeClosed,
}

impl Exit {
    /// The number that the shell sees; the last two are what a shell gives for the signals.
    pub(crate) fn code(self) -> u8 {
        match self {
            Exit::Ok => 0,
            Exit::Error => 1,
            Exit::SomeFailed => 2,
            Exit::SomeSilent => 3,
            Exit::Interrupted => 130,
            Exit::PipeClosed => 141,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

/// What a command gives back.
pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// Why a command ended early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Something did not work.
    Told {
        /// What, with its causes.
        error: anyhow::Error,
        /// What to do next; empty if the error itself ends with it.
        next: String,
    },
    /// Nobody reads the output any more: nothing is left to tell.
    PipeClosed,
}

impl Failure {
    /// An error and what to do about it.
    pub(crate) fn new(error: impl Into<anyhow::Error>, next: impl Into<String>) -> Failure {
        Failure::Told { error: error.into(), next: next.into() }
    }

    /// A plain sentence and what to do about it.
    pub(crate) fn say(what: impl Into<String>, next: impl Into<String>) -> Failure {
        Failure::new(anyhow::Error::msg(what.into()), next)
    }

    /// The error and its causes on one line.
    pub(crate) fn text(&self) -> String {
        match self {
            Failure::Told { error, .. } => format!("{error:#}"),
            Failure::PipeClosed => "nobody reads the output any more".to_owned(),
        }
    }

    /// What to do next, or nothing.
    pub(crate) fn next(&self) -> &str {
        match self {
            Failure::Told { next, .. } => next,
            Failure::PipeClosed => "",
        }
    }

    /// What the controller refused, and why, if that is what happened.
    pub(crate) fn refusal(&self) -> Option<&Refusal> {
        match self {
            Failure::Told { error, .. } => error.downcast_ref(),
            Failure::PipeClosed => None,
        }
    }

    /// Whether the same may work a moment later: a controller that restarts, or that cannot now.
    pub(crate) fn is_passing(&self) -> bool {
        let Failure::Told { error, .. } = self else { return false };
        let bus = error.downcast_ref::<bus::Error>();
        bus.is_some_and(|error| {
            matches!(error, bus::Error::NoResponders { .. } | bus::Error::Timeout { .. })
        }) || self.refusal().is_some_and(|refusal| refusal.kind == RefusalKind::Unavailable)
    }

    /// Whether the server has cut the connection because the credential was revoked.
    pub(crate) fn is_revocation(&self) -> bool {
        let Failure::Told { error, .. } = self else { return false };
        match error.downcast_ref::<bus::Error>() {
            Some(bus::Error::Refused { reason, .. }) => reason.to_lowercase().contains("revoked"),
            Some(_) | None => false,
        }
    }

    /// The same error with other advice.
    pub(crate) fn advise(self, next: impl Into<String>) -> Failure {
        match self {
            Failure::Told { error, .. } => Failure::Told { error, next: next.into() },
            Failure::PipeClosed => Failure::PipeClosed,
        }
    }

    /// Tells it on stderr, and gives the exit code.
    pub(crate) fn tell(&self) -> Exit {
        if matches!(self, Failure::PipeClosed) {
            return Exit::PipeClosed;
        }
        output::note(&format!("error: {}", output::clean(&self.text())));
        if !self.next().is_empty() {
            output::note(&format!("next:  {}", output::clean(self.next())));
        }
        Exit::Error
    }
}

/// Turns any error into a [`Failure`]; without it `?` does not compile, so none lacks its advice.
pub(crate) trait OrNext<T> {
    /// Adds what to do next.
    fn or_next(self, next: impl Into<String>) -> Result<T>;
}

impl<T, E: Into<anyhow::Error>> OrNext<T> for std::result::Result<T, E> {
    fn or_next(self, next: impl Into<String>) -> Result<T> {
        self.map_err(|error| Failure::new(error, next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn each_end_has_its_own_code() {
        let all = [
            Exit::Ok,
            Exit::Error,
            Exit::SomeFailed,
            Exit::SomeSilent,
            Exit::Interrupted,
            Exit::PipeClosed,
        ];
        assert_eq!(all.map(Exit::code), [0, 1, 2, 3, 130, 141]);
    }

    #[test]
    fn what_may_work_a_moment_later_is_known() {
        let refusal = |kind| Failure::new(Refusal { kind, message: "no".into() }, "");
        assert!(refusal(RefusalKind::Unavailable).is_passing());
        assert!(!refusal(RefusalKind::Conflict).is_passing());
        let conflict = refusal(RefusalKind::Conflict).advise("wait");
        assert_eq!(conflict.refusal().map(|refusal| refusal.kind), Some(RefusalKind::Conflict));
        assert_eq!(conflict.next(), "wait");
        let silent = bus::Error::Timeout { subject: "s".into(), millis: 1 };
        assert!(Failure::new(silent, "").is_passing());
        assert!(!Failure::new(bus::Error::Closed, "").is_passing());
        assert!(!Failure::say("no", "").is_passing());
    }

    #[test]
    fn an_error_tells_its_causes_and_what_to_do() {
        let missing: std::io::Result<()> = Err(std::io::ErrorKind::NotFound.into());
        let failure = missing.context("reading /a").or_next("make /a").unwrap_err();
        assert_eq!(failure.text(), "reading /a: entity not found");
        assert_eq!(failure.next(), "make /a");
    }
}
