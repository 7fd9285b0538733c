//! What a credential says of itself. The server judges it; this is for telling people.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use muster_protocol::id::UnixMillis;
use serde::Deserialize;

/// The claims that are looked at here.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Claims {
    /// Whose it is.
    pub(crate) name: String,
    /// When it was issued, in seconds since 1970.
    #[serde(default)]
    iat: i64,
    /// When it ends, in seconds since 1970; never if 0.
    #[serde(default)]
    exp: i64,
}

impl Claims {
    /// Reads them; none if it is no JWT.
    pub(crate) fn of(jwt: &str) -> Option<Claims> {
        let payload = URL_SAFE_NO_PAD.decode(jwt.trim().split('.').nth(1)?).ok()?;
        serde_json::from_slice(&payload).ok()
    }

    /// When it ends; never if none.
    pub(crate) fn end(&self) -> Option<UnixMillis> {
        (self.exp != 0).then(|| UnixMillis(self.exp.saturating_mul(1000)))
    }

    /// Whether half of its life is over.
    pub(crate) fn is_past_half(&self, now: UnixMillis) -> bool {
        let half = self.iat.saturating_add(self.exp.saturating_sub(self.iat) / 2);
        self.exp != 0 && now.seconds() >= half
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn jwt(payload: &str) -> String {
        format!("h.{}.s", URL_SAFE_NO_PAD.encode(payload))
    }

    #[test]
    fn a_credential_is_renewed_in_the_second_half_of_its_life() {
        let claims = Claims::of(&jwt(r#"{"name":"vera","iat":100,"exp":200,"x":1}"#)).unwrap();
        assert_eq!(claims.end(), Some(UnixMillis(200_000)));
        assert!(
            !claims.is_past_half(UnixMillis(149_999)) && claims.is_past_half(UnixMillis(150_000))
        );
        let endless = Claims::of(&jwt(r#"{"name":"vera","iat":100}"#)).unwrap();
        assert!(endless.end().is_none() && !endless.is_past_half(UnixMillis(i64::MAX)));
        for text in ["", "a.b.c", "a", "h.bm90IGpzb24.s"] {
            assert_eq!(Claims::of(text), None, "{text}");
        }
    }
}
