//! A small HTTP/1.1 client for what states fetch: one request, its body into a writer.
//!
//! Blocking, on the run's own thread. TLS is the agent's own rustls, with the system's roots.
//! Absent on purpose: cookies, compression, keeping connections, proxies.

mod body;
mod url;

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::host::command::Cancel;
use crate::host::looking;
use url::Url;
pub(crate) use url::redacted;

/// Redirects that are followed.
const REDIRECTS_MAX: usize = 10;
/// Bytes of an answer's head.
const HEAD_MAX: u64 = 64 << 10;
/// Bytes of an answer's body.
const BODY_MAX: u64 = 16 << 30;
/// How long connecting, and any one read, may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why nothing came.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    #[error("'{0}' is no http or https address")]
    Address(String),
    #[error("cannot resolve {host}: {source}")]
    Resolve { host: String, source: io::Error },
    #[error("cannot connect to {host}: {source}")]
    Connect { host: String, source: io::Error },
    #[error("the connection to {host} cannot be made secure: {reason}")]
    Secure { host: String, reason: String },
    #[error("the connection to {host} broke: {source}")]
    Broke { host: String, source: io::Error },
    #[error("{host} answered: {status}")]
    Status { host: String, status: String },
    #[error("more than {REDIRECTS_MAX} redirects, the last to {0}")]
    Redirects(String),
    #[error("the run was cancelled")]
    Cancelled,
    #[error("it is not this request's turn")]
    NotYet,
}

/// Whether an address is one that this client can fetch.
pub(crate) fn fetches(address: &str) -> bool {
    Url::parse(address).is_some()
}

/// Whether something is there, by its head alone.
pub(crate) fn exists(address: &str, cancel: &Cancel) -> bool {
    request("HEAD", address, &mut io::sink(), cancel).is_ok()
}

/// Fetches a body; redirects are followed.
pub(crate) fn get(address: &str, to: &mut dyn Write, cancel: &Cancel) -> Result<(), HttpError> {
    request("GET", address, to, cancel)
}

fn request(
    method: &str,
    address: &str,
    to: &mut dyn Write,
    cancel: &Cancel,
) -> Result<(), HttpError> {
    // A server sees each request: none is made that its state might make again.
    if looking::refuses() {
        return Err(HttpError::NotYet);
    }
    let no_address = || HttpError::Address(redacted(address));
    let mut url = Url::parse(address).ok_or_else(no_address)?;
    for _ in 0..=REDIRECTS_MAX {
        if cancel.is_cancelled() {
            return Err(HttpError::Cancelled);
        }
        match once(method, &url, to, cancel)? {
            None => return Ok(()),
            Some(location) => {
                let next = url.joined(&location).ok_or_else(no_address)?;
                // What is secret goes to the host that it was given for.
                url = if next.host == url.host { next.with_login_of(&url) } else { next };
            }
        }
    }
    Err(HttpError::Redirects(redacted(&url.to_string())))
}

/// One request; returns where it was redirected to.
fn once(
    method: &str,
    url: &Url,
    to: &mut dyn Write,
    cancel: &Cancel,
) -> Result<Option<String>, HttpError> {
    let host = url.host.clone();
    let broke = |source| HttpError::Broke { host: host.clone(), source };
    let mut stream = connect(url)?;
    let login = url.login.as_ref().map_or_else(String::new, |login| {
        format!("Authorization: Basic {}\r\n", STANDARD.encode(login))
    });
    let head = format!(
        "{method} {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: muster/{}\r\nAccept: */*\r\n{login}\
         Connection: close\r\n\r\n",
        url.path,
        url.authority(),
        env!("CARGO_PKG_VERSION")
    );
    stream.write_all(head.as_bytes()).and_then(|()| stream.flush()).map_err(broke)?;
    let mut stream = BufReader::new(stream);
    let answer = Head::read(&mut stream).map_err(broke)?;
    if (300..400).contains(&answer.code)
        && let Some(location) = answer.location
    {
        return Ok(Some(location));
    }
    if !(200..300).contains(&answer.code) {
        return Err(HttpError::Status { host, status: answer.status });
    }
    if method == "HEAD" {
        return Ok(None);
    }
    let body = body::Body::new(stream, answer.chunked, answer.length).map_err(broke)?;
    copy(body, to, cancel).map_err(|error| match error.kind() {
        io::ErrorKind::Interrupted => HttpError::Cancelled,
        _ => broke(error),
    })?;
    Ok(None)
}

fn copy(mut from: impl Read, to: &mut dyn Write, cancel: &Cancel) -> io::Result<()> {
    let mut buffer = [0; 64 << 10];
    let mut total: u64 = 0;
    loop {
        if cancel.is_cancelled() {
            return Err(io::Error::from(io::ErrorKind::Interrupted));
        }
        let read = from.read(&mut buffer)?;
        if read == 0 {
            return to.flush();
        }
        total += read as u64;
        if total > BODY_MAX {
            return Err(io::Error::other(format!("the body is longer than {BODY_MAX} bytes")));
        }
        to.write_all(&buffer[..read])?;
    }
}

trait Stream: Read + Write {}

impl<S: Read + Write> Stream for S {}

fn connect(url: &Url) -> Result<Box<dyn Stream>, HttpError> {
    let host = url.host.clone();
    let resolve = |source| HttpError::Resolve { host: host.clone(), source };
    let addresses = (url.host.as_str(), url.port).to_socket_addrs().map_err(resolve)?;
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Err(error) => last = error,
            Ok(stream) => {
                let set = stream
                    .set_read_timeout(Some(PATIENCE))
                    .and_then(|()| stream.set_write_timeout(Some(PATIENCE)));
                set.map_err(|source| HttpError::Connect { host: host.clone(), source })?;
                return if url.secure { secured(&host, stream) } else { Ok(Box::new(stream)) };
            }
        }
    }
    Err(HttpError::Connect { host, source: last })
}

fn secured(host: &str, stream: TcpStream) -> Result<Box<dyn Stream>, HttpError> {
    let fault = |reason: String| HttpError::Secure { host: host.to_owned(), reason };
    let mut roots = rustls::RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        return Err(fault("this machine trusts no authority: install ca-certificates".to_owned()));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| fault(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = rustls::pki_types::ServerName::try_from(host.to_owned())
        .map_err(|error| fault(error.to_string()))?;
    let connection = rustls::ClientConnection::new(Arc::new(config), name)
        .map_err(|error| fault(error.to_string()))?;
    Ok(Box::new(rustls::StreamOwned::new(connection, stream)))
}

/// An answer's head, as far as it matters.
#[derive(Debug, Default)]
struct Head {
    code: u16,
    status: String,
    location: Option<String>,
    chunked: bool,
    length: Option<u64>,
}

impl Head {
    fn read(from: &mut impl BufRead) -> io::Result<Head> {
        let bad = || io::Error::new(io::ErrorKind::InvalidData, "the answer is no HTTP");
        let mut from = from.take(HEAD_MAX);
        let mut line = String::new();
        from.read_line(&mut line)?;
        let (version, status) = line.trim_end().split_once(' ').ok_or_else(bad)?;
        if !version.starts_with("HTTP/1.") {
            return Err(bad());
        }
        let code = status.split(' ').next().and_then(|code| code.parse().ok());
        let mut head =
            Head { code: code.ok_or_else(bad)?, status: status.to_owned(), ..Head::default() };
        loop {
            line.clear();
            if from.read_line(&mut line)? == 0 {
                return Err(bad());
            }
            let Some((name, value)) = line.trim_end().split_once(':') else {
                return if line.trim_end().is_empty() { Ok(head) } else { Err(bad()) };
            };
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "location" => head.location = Some(value.to_owned()),
                "content-length" => head.length = Some(value.parse().map_err(|_| bad())?),
                "transfer-encoding" => head.chunked = value.to_lowercase().contains("chunked"),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// A server that gives one answer each to as many connections.
    fn serve(answers: Vec<String>) -> (String, std::thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let own = address.clone();
        let thread = std::thread::spawn(move || {
            answers
                .iter()
                .map(|answer| {
                    let (stream, _) = listener.accept().unwrap();
                    let mut stream = BufReader::new(stream);
                    let mut request = String::new();
                    while !request.ends_with("\r\n\r\n") {
                        stream.read_line(&mut request).unwrap();
                    }
                    let answer = answer.replace("@HOST@", &own);
                    stream.get_mut().write_all(answer.as_bytes()).unwrap();
                    request
                })
                .collect()
        });
        (address, thread)
    }

    fn fetched(answers: &[&str], path: &str) -> (Result<String, HttpError>, Vec<String>) {
        let (address, thread) = serve(answers.iter().map(|answer| (*answer).to_owned()).collect());
        let mut out = Vec::new();
        let url = format!("http://me:pw@{address}{path}");
        let done = get(&url, &mut out, &Cancel::default());
        (done.map(|()| String::from_utf8(out).unwrap()), thread.join().unwrap())
    }

    #[test]
    fn bodies_come_by_length_in_chunks_or_to_the_end() {
        for answer in [
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello, and more",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n\
             0\r\n\r\n",
            "HTTP/1.0 200 OK\r\n\r\nhello",
        ] {
            let (body, requests) = fetched(&[answer], "/a?b=c");
            assert_eq!(body.unwrap(), "hello", "{answer}");
            assert!(requests[0].starts_with("GET /a?b=c HTTP/1.1\r\n"));
            assert!(requests[0].contains("Authorization: Basic bWU6cHc=\r\n"));
        }
    }

    #[test]
    fn redirects_are_followed_and_what_went_wrong_is_told() {
        let moved = "HTTP/1.1 302 Found\r\nLocation: http://@HOST@/new\r\n\r\n";
        let fine = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        let (body, requests) = fetched(&[moved, fine], "/old");
        assert_eq!(body.unwrap(), "ok");
        assert!(requests[1].starts_with("GET /new "));
        let (body, _) = fetched(&["HTTP/1.1 404 Not Found\r\n\r\n"], "/none");
        assert!(body.unwrap_err().to_string().ends_with("answered: 404 Not Found"));
        let (body, _) = fetched(&["HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut"], "/cut");
        assert!(matches!(body, Err(HttpError::Broke { .. })));
        let (body, _) = fetched(&["SSH-2.0\r\n"], "/");
        assert!(body.is_err());
    }
}
