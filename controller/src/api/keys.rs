//! Calls about the controller's keys.

use super::{Api, Done, refuse};
use crate::rotation::Error;
use crate::{keys, revocations};
use muster_protocol::api::{KeysDrop, KeysRotate, KeysShow, KeysView, Refusal, RefusalKind};
use muster_protocol::id::UnixMillis;

impl Api {
    pub(super) async fn keys_show(&self, _: &KeysShow) -> Done<KeysView> {
        let rotor = &self.rotor;
        Ok(KeysView {
            serial: rotor.keys.serial(),
            now: UnixMillis::now(),
            keys: rotor.keys.show().map_err(|error| refusal(&Error::Keys(error)))?,
            revocations: rotor.revocations.view().await,
            settled: rotor.is_settled().await,
            not_renewed: u32::try_from(rotor.not_renewed()).unwrap_or(u32::MAX),
        })
    }

    pub(super) async fn keys_rotate(&self, question: &KeysRotate) -> Done<KeysView> {
        self.rotor.rotate(question.what).await.map_err(|error| refusal(&error))?;
        self.keys_show(&KeysShow {}).await
    }

    pub(super) async fn keys_drop(&self, question: &KeysDrop) -> Done<KeysView> {
        self.rotor.drop_replaced(question.force).await.map_err(|error| refusal(&error))?;
        self.keys_show(&KeysShow {}).await
    }
}

fn refusal(error: &Error) -> Refusal {
    use keys::Error::{Busy, Offline, OfflineCa};
    let kind = match error {
        Error::Keys(Offline { .. } | OfflineCa)
        | Error::NotRenewed { .. }
        | Error::OldCertificate { .. } => RefusalKind::Conflict,
        Error::Keys(Busy(_))
        | Error::NotLeading
        | Error::Settling
        | Error::Lagging { .. }
        | Error::Bus(_)
        | Error::Revocations(revocations::Error::NotLeading | revocations::Error::Bus(_)) => {
            RefusalKind::Unavailable
        }
        Error::Keys(_) | Error::Revocations(_) => RefusalKind::Invalid,
    };
    refuse(kind, crate::chain(error))
}
