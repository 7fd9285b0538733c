//! What of an X.509 certificate is shown: its fingerprint, and when it ends (RFC 5280, 4.1).

use muster_protocol::id::{Hash, UnixMillis};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use time::{Date, Month, OffsetDateTime, Time};

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;

/// A certificate's fingerprint and end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// SHA-256 over its DER.
    pub(crate) fingerprint: String,
    /// Its last moment, if it can be read.
    pub(crate) until: Option<UnixMillis>,
}

/// The certificates of a PEM text, in its order; what is none is left out.
pub(crate) fn seen(pem: &str) -> Vec<Seen> {
    let certificates = CertificateDer::pem_slice_iter(pem.as_bytes()).filter_map(Result::ok);
    let seen = certificates
        .map(|der| Seen { fingerprint: Hash::of(&der).to_string(), until: not_after(&der) });
    seen.collect()
}

/// The texts of the certificates of a PEM text, each whole.
pub(crate) fn split(pem: &str) -> Vec<String> {
    const END: &str = "-----END CERTIFICATE-----";
    let parts = pem.split_inclusive(END).filter(|part| part.contains(END));
    parts.map(|part| part.trim_start().to_owned() + "\n").collect()
}

fn not_after(der: &[u8]) -> Option<UnixMillis> {
    let (_, certificate, _) = element(der)?;
    let (_, mut rest, _) = element(certificate)?;
    let (tag, _, after) = element(rest)?;
    if tag == VERSION {
        rest = after;
    }
    // Serial number, algorithm, issuer.
    for _ in 0..3 {
        (_, _, rest) = element(rest)?;
    }
    let (tag, validity, _) = element(rest)?;
    let (_, _, end) = element(validity).filter(|_| tag == SEQUENCE)?;
    let (tag, text, _) = element(end)?;
    moment(std::str::from_utf8(text).ok()?, tag == UTC_TIME)
}

/// Tag, contents and what follows.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x83 => {
            let (long, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (long.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (contents, after) = rest.split_at_checked(length)?;
    Some((tag, contents, after))
}

/// `YYMMDDHHMMSSZ` (1950 to 2049), or with four digits of the year.
fn moment(text: &str, short: bool) -> Option<UnixMillis> {
    let (year, rest) = text.split_at_checked(if short { 2 } else { 4 })?;
    let year: i32 = year.parse().ok()?;
    let year = match (short, year) {
        (false, year) => year,
        (true, 0..50) => 2000 + year,
        (true, year) => 1900 + year,
    };
    let part = |at: usize| rest.get(at..at + 2)?.parse::<u8>().ok();
    let date = Date::from_calendar_date(year, Month::try_from(part(0)?).ok()?, part(2)?).ok()?;
    let time = Time::from_hms(part(4)?, part(6)?, part(8)?).ok()?;
    Some(UnixMillis(OffsetDateTime::new_utc(date, time).unix_timestamp() * 1000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    #[test]
    fn the_end_of_a_certificate_is_read_in_both_notations() {
        for (year, seconds) in [(2031, 1_924_992_000), (2077, 3_376_684_800)] {
            let mut params = CertificateParams::new(vec!["a".into()]).unwrap();
            params.not_after = date_time_ymd(year, 1, 1);
            let pem = params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem();
            let all = seen(&(pem.clone() + &pem));
            assert_eq!(all.len(), 2);
            assert_eq!(all[0].until, Some(UnixMillis(seconds * 1000)));
            assert_eq!(split(&(pem.clone() + &pem)).len(), 2);
            assert_eq!(seen(&split(&(pem.clone() + &pem))[1]), all[..1]);
        }
        assert!(seen("nothing").is_empty() && not_after(b"\x30\x84").is_none());
    }
}
