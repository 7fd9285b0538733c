//! Renews a credential that has lived half of its life, when its person uses it.

use crate::context::{self, Claims, Context};
use crate::failure::Result;
use crate::output::{note, span};
use crate::session::Session;
use muster_protocol::api::{UserRenew, UserRenewed};
use muster_protocol::id::UnixMillis;
use std::time::Duration;

/// How long a command that wants something else waits for it.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Nearer to the end a person is told that there is no newer one yet.
const TELL_MILLIS: i64 = 7 * 86_400_000;

/// Renews it if it is time. A failure stops no command, and is told only near the end.
pub(crate) async fn in_time(context: &Context, session: &Session) {
    let now = UnixMillis::now();
    let Some(claims) = context.claims().filter(|claims| claims.is_past_half(now)) else { return };
    if !context.renewable {
        return soon(&claims, now, "it was given until then only: ask an admin for another");
    }
    let renewed = tokio::time::timeout(TIMEOUT, now_for(context, session)).await;
    match renewed {
        Ok(Ok(_)) => {}
        Ok(Err(failure)) => soon(&claims, now, &failure.text()),
        Err(_) => soon(&claims, now, "the controller does not answer"),
    }
}

/// Renews it, and writes it into the context's file, with the CA that now counts.
pub(crate) async fn now_for(context: &Context, session: &Session) -> Result<UserRenewed> {
    let renewed = session.ask(&UserRenew {}).await?;
    context::renew(context, &renewed)?;
    Ok(renewed)
}

fn soon(claims: &Claims, now: UnixMillis, why: &str) {
    let left = claims.end().map_or(i64::MAX, |end| end.since(now));
    if left < TELL_MILLIS {
        note(&format!("your credential ends in {}, and is not renewed: {why}", span(left.max(0))));
    }
}
