//! An answer's body: by its length, in chunks, or to the end of the connection.

use std::io::{self, BufRead, Read};

/// Bytes of the line that starts a chunk.
const LINE_MAX: u64 = 1024;

enum Kind {
    Length(u64),
    /// What is left of the chunk in hand.
    Chunks(u64),
    ToEnd,
    Done,
}

/// Reads a body; one that ends too early is an error.
pub(super) struct Body<R> {
    from: R,
    kind: Kind,
}

impl<R: BufRead> Body<R> {
    pub(super) fn new(mut from: R, chunked: bool, length: Option<u64>) -> io::Result<Body<R>> {
        let kind = match (chunked, length) {
            (true, _) => match chunk(&mut from)? {
                0 => Kind::Done,
                size => Kind::Chunks(size),
            },
            (false, Some(length)) => Kind::Length(length),
            (false, None) => Kind::ToEnd,
        };
        Ok(Body { from, kind })
    }
}

fn chunk(from: &mut impl BufRead) -> io::Result<u64> {
    let mut line = String::new();
    from.by_ref().take(LINE_MAX).read_line(&mut line)?;
    let digits = line.split(';').next().unwrap_or_default().trim();
    u64::from_str_radix(digits, 16)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "a chunk of the body is damaged"))
}

impl<R: BufRead> Read for Body<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = match self.kind {
            Kind::Done | Kind::Length(0) => return Ok(0),
            Kind::ToEnd => return self.from.read(buffer),
            Kind::Length(left) | Kind::Chunks(left) => left,
        };
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.from.read(&mut buffer[..most])?;
        if read == 0 && most > 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
        }
        let left = left - read as u64;
        self.kind = match self.kind {
            Kind::Chunks(_) if left == 0 => {
                let mut end = String::new();
                self.from.by_ref().take(2).read_line(&mut end)?;
                match chunk(&mut self.from)? {
                    0 => Kind::Done,
                    size => Kind::Chunks(size),
                }
            }
            Kind::Chunks(_) => Kind::Chunks(left),
            Kind::Length(_) | Kind::ToEnd | Kind::Done => Kind::Length(left),
        };
        Ok(read)
    }
}
