//! What a check found: an archive to unpack, or that there is none.

use serde_json::json;

use super::extract::{Step, extracted};
use super::stamp;
use crate::function::Context;
use crate::function::file::source::Refused;
use crate::outcome::{Changes, Outcome, change};

pub(in crate::function) enum Work {
    Extract(Box<Step>),
    /// There is no copy of the source, or not the wanted one.
    Refuse {
        shown: String,
        refused: Refused,
    },
}

impl Work {
    pub(super) fn extract(step: Step) -> Work {
        Work::Extract(Box::new(step))
    }

    pub(super) fn done(self, ctx: &Context<'_>) -> Outcome {
        match self {
            Work::Extract(step) => extracted(ctx, *step),
            Work::Refuse { shown, refused } => uncached(ctx, &shown, refused),
        }
    }
}

/// Salt's outcome is that of caching the source, which has the source's name. There a file that
/// was refused stays, and only another one is a change; here its digest is kept for each target.
fn uncached(ctx: &Context<'_>, shown: &str, refused: Refused) -> Outcome {
    let mut changes = Changes::new();
    if let Some(digest) = refused.digest {
        let note = format!("refused {shown} {}", ctx.name());
        let before = stamp::read(ctx, &note);
        if before.as_ref() != Some(&digest) {
            if let Err(error) = stamp::keep(ctx, &note, &digest) {
                return Outcome::failed(format!(
                    "cannot keep the checksum of the archive: {error}"
                ));
            }
            changes = change("hash", json!({"old": before, "new": digest}));
        }
    }
    Outcome { changes, ..Outcome::failed(refused.told).called(shown) }
}
