//! Calls about the controller's keys.

use super::{Api, Done, refuse};
use crate::rotation::Error;
use crate::{keys, revocations};
use muster_protocol::api::{
    KeysDrop, KeysRenew, KeysRenewed, KeysRotate, KeysShow, KeysView, Refusal, RefusalKind,
};
use muster_protocol::bus::Caller;
use muster_protocol::id::{UnixMillis, UserName};
use muster_protocol::jwt::{self, Stamp};
use muster_protocol::subject::{Account, Role};

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

    /// The role is that of the key which signed the caller's credential: the server has let it in.
    pub(super) fn keys_renew(
        &self,
        user: &UserName,
        caller: &Caller,
        _: &KeysRenew,
    ) -> Done<KeysRenewed> {
        let keys = &self.rotor.keys;
        let unknown = || refuse(RefusalKind::Forbidden, "this credential cannot be renewed");
        let old = jwt::decode(&caller.credential).map_err(|_| unknown())?;
        let role = keys.role_of(&old.iss).filter(|role| role.account() == Account::People);
        let role: Role = role.ok_or_else(unknown)?;
        if old.sub != caller.key || old.name != user.as_str() {
            return Err(unknown());
        }
        let expires = old.exp.map(|seconds| UnixMillis(seconds.saturating_mul(1000)));
        let jwt = keys.person_jwt(role, user, &old.sub, expires, &Stamp::fresh());
        let jwt = jwt.map_err(|error| refusal(&Error::Keys(error)))?;
        Ok(KeysRenewed { jwt, ca: keys.ca_pem() })
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
