//! The CA that agents pin, and the server's certificate for NATS and HTTPS.

use super::change::Change;
use super::files::Directory;
use super::record::Record;
use super::{Error, certificate};
use muster_protocol::id::{ClusterName, UnixMillis};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};
use std::collections::BTreeSet;
use std::net::IpAddr;
use time::{Duration, OffsetDateTime};

/// The CA's private key; may be kept offline.
pub(crate) const CA_KEY: &str = "ca.key";
/// The CA's certificate.
pub(crate) const CA_CERTIFICATE: &str = "ca.pem";
/// The server's private key.
pub(crate) const SERVER_KEY: &str = "server.key";
/// The server's certificate.
pub(crate) const SERVER_CERTIFICATE: &str = "server.pem";
const CA_YEARS: i64 = 20;
const SERVER_YEARS: i64 = 10;
const DAYS_PER_YEAR: i64 = 365;
/// Certificates of earlier rotations that a server shows; who trusts an older CA needs a new file.
const CHAIN_MAX: usize = 4;

/// Makes what is missing and names it. An agent whose clock is years behind can still connect: the
/// certificates begin in 1975.
pub(crate) fn missing(
    dir: &Directory,
    cluster: &ClusterName,
    hosts: &[String],
    now: UnixMillis,
) -> Result<Vec<String>, Error> {
    let mut made = Vec::new();
    let has_ca = dir.read(CA_CERTIFICATE)?.is_some();
    let has_server = dir.read(SERVER_CERTIFICATE)?.is_some() && dir.read(SERVER_KEY)?.is_some();
    if has_ca && has_server {
        return Ok(made);
    }
    // The CA's certificate is written before the server's: without it there are agents that pin it.
    let was_made = has_ca || dir.read(SERVER_CERTIFICATE)?.is_some();
    if was_made && dir.read(CA_KEY)?.is_none() {
        return Err(Error::Lost { file: CA_KEY.into() });
    }
    let ca_key = key(dir, CA_KEY, &mut made)?;
    let ca = authority(cluster, Record::read(dir)?.ca, now)?;
    if !has_ca {
        let what = |source| Error::Certificate { what: "the CA's certificate", source };
        dir.write(CA_CERTIFICATE, &ca.self_signed(&ca_key).map_err(what)?.pem())?;
        made.push(CA_CERTIFICATE.into());
    }
    let server_key = key(dir, SERVER_KEY, &mut made)?;
    let what = |source| Error::Certificate { what: "the server's certificate", source };
    let issuer = Issuer::from_params(&ca, &ca_key);
    let server = server(cluster, hosts, now).map_err(what)?;
    let certificate = server.signed_by(&server_key, &issuer).map_err(what)?;
    dir.write(SERVER_CERTIFICATE, &certificate.pem())?;
    made.push(SERVER_CERTIFICATE.into());
    Ok(made)
}

fn key(dir: &Directory, file: &'static str, made: &mut Vec<String>) -> Result<KeyPair, Error> {
    let what = |source| Error::Certificate { what: "a TLS key", source };
    if let Some(text) = dir.read(file)? {
        return KeyPair::from_pem(&text).map_err(what);
    }
    let key = KeyPair::generate().map_err(what)?;
    dir.write(file, &key.serialize_pem())?;
    made.push(file.into());
    Ok(key)
}

/// Puts a new CA in the place of CA `number`. `ca.pem` holds the old certificate behind the new
/// one, for servers that show the new one late; `server.pem` the new CA's certificate by the old
/// one behind the server's, for clients that trust the old one alone.
pub(super) fn renew(
    dir: &Directory,
    cluster: &ClusterName,
    hosts: &[String],
    number: u32,
    now: UnixMillis,
    change: &mut Change,
) -> Result<(), Error> {
    let what = |source| Error::Certificate { what: "the new CA's certificate", source };
    let old_key = KeyPair::from_pem(&dir.read(CA_KEY)?.ok_or(Error::OfflineCa)?).map_err(what)?;
    let (old, new) = (authority(cluster, number, now)?, authority(cluster, number + 1, now)?);
    let new_key = KeyPair::generate().map_err(what)?;
    let own = new.self_signed(&new_key).map_err(what)?.pem();
    let by_old = new.signed_by(&new_key, &Issuer::from_params(&old, &old_key)).map_err(what)?.pem();
    let server_key = KeyPair::generate().map_err(what)?;
    let server = server(cluster, hosts, now).map_err(what)?;
    let server = server.signed_by(&server_key, &Issuer::from_params(&new, &new_key));
    let server = server.map_err(what)?.pem();
    let before = certificate::split(&dir.require(SERVER_CERTIFICATE)?);
    let chain: String = before.into_iter().skip(1).take(CHAIN_MAX).collect();
    change.write(CA_KEY, new_key.serialize_pem());
    let trusted = certificate::split(&dir.require(CA_CERTIFICATE)?);
    change.write(CA_CERTIFICATE, own + &trusted.into_iter().take(CHAIN_MAX).collect::<String>());
    change.write(SERVER_KEY, server_key.serialize_pem());
    change.write(SERVER_CERTIFICATE, server + &by_old + &chain);
    Ok(())
}

/// Trusts, and shows, nothing of the CAs that were replaced.
pub(super) fn forget_old(dir: &Directory, change: &mut Change) -> Result<(), Error> {
    for file in [CA_CERTIFICATE, SERVER_CERTIFICATE] {
        change.write(file, certificate::split(&dir.require(file)?).swap_remove(0));
    }
    Ok(())
}

/// The same name for the same CA of a cluster: a certificate made anew for the same key is the same
/// CA. A later one has a number in its name: by the name an issuer is found.
fn authority(
    cluster: &ClusterName,
    number: u32,
    now: UnixMillis,
) -> Result<CertificateParams, Error> {
    let number = if number == 0 { String::new() } else { format!(", {number}") };
    let what = |source| Error::Certificate { what: "the CA's certificate", source };
    let mut ca = CertificateParams::new(vec![]).map_err(what)?;
    ca.distinguished_name.push(DnType::CommonName, format!("Muster CA of {cluster}{number}"));
    // It signs the next one.
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    (ca.not_before, ca.not_after) = (date_time_ymd(1975, 1, 1), years_after(now, CA_YEARS));
    Ok(ca)
}

fn server(
    cluster: &ClusterName,
    hosts: &[String],
    now: UnixMillis,
) -> Result<CertificateParams, rcgen::Error> {
    let own = ["localhost", "127.0.0.1", "::1"].into_iter();
    let names: BTreeSet<String> = own.map(String::from).chain(hosts.iter().cloned()).collect();
    let mut server = CertificateParams::new(vec![])?;
    for name in names {
        server.subject_alt_names.push(match name.parse::<IpAddr>() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName(name.try_into()?),
        });
    }
    server.distinguished_name.push(DnType::CommonName, format!("Muster server of {cluster}"));
    server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    server.use_authority_key_identifier_extension = true;
    (server.not_before, server.not_after) =
        (date_time_ymd(1975, 1, 1), years_after(now, SERVER_YEARS));
    Ok(server)
}

fn years_after(now: UnixMillis, years: i64) -> OffsetDateTime {
    let now = OffsetDateTime::from_unix_timestamp(now.seconds());
    let last = date_time_ymd(4096, 1, 1);
    now.ok().and_then(|now| now.checked_add(Duration::days(years * DAYS_PER_YEAR))).unwrap_or(last)
}
