//! A TCP connection that is made when needed and kept.

use crate::sink::Error;
use std::io;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tracing::info;

pub(super) struct Connection {
    address: String,
    timeout: Duration,
    stream: Option<TcpStream>,
}

impl Connection {
    pub(super) fn new(address: String, timeout: Duration) -> Connection {
        Connection { address, timeout, stream: None }
    }

    /// Sends all bytes; after an error the connection is made anew, and all bytes must come again.
    pub(super) async fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let mut stream = match self.stream.take().filter(is_open) {
            Some(stream) => stream,
            None => self.connect().await?,
        };
        let sent = timeout(self.timeout, stream.write_all(bytes)).await;
        let sent = sent.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        sent.map_err(|source| Error::Send { address: self.address.clone(), source })?;
        self.stream = Some(stream);
        Ok(())
    }

    async fn connect(&self) -> Result<TcpStream, Error> {
        let stream = timeout(self.timeout, TcpStream::connect(&self.address)).await;
        let stream = stream.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let failed = |source| Error::Connect { address: self.address.clone(), source };
        let stream = stream.map_err(failed)?;
        info!(address = %self.address, "connected to graphite");
        Ok(stream)
    }
}

/// Whether the other side has not closed it. The first write into a closed connection succeeds and
/// is lost, so this must be asked before. What the other side says, if anything, is passed over.
fn is_open(stream: &TcpStream) -> bool {
    let mut said = [0; 256];
    loop {
        match stream.try_read(&mut said) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
        }
    }
}
