//! A connection to systemd's manager: its own socket, or the bus of the system.
//!
//! One lives as long as one thing takes. Kept longer without being read, it would fill with the
//! signals that systemd sends to whoever is connected to its socket.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use super::wire::{self, Arg, Broken, Call, Kind, Message, START, Value};
use crate::host::command::{Cancel, CommandError};

/// systemd's own socket: for root, and there before and after any bus.
const PRIVATE: &str = "/run/systemd/private";
/// The bus of the system.
const BUS: &str = "/run/dbus/system_bus_socket";
/// How long an answer may take; reading all units again is the slowest.
const ANSWER: Duration = Duration::from_secs(90);
/// How often waiting looks whether the run was cancelled.
const POLL: Duration = Duration::from_millis(100);
/// Ends of jobs that are kept until they are asked for.
const ENDED_MAX: usize = 256;
/// Bytes of the answer to who is calling.
const GREETING_MAX: usize = 256;

const SYSTEMD: &str = "org.freedesktop.systemd1";
const DAEMON: &str = "org.freedesktop.DBus";

/// Why systemd did not do as asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum BusError {
    /// It cannot be talked to.
    #[error("cannot talk to systemd: {0}")]
    Lost(#[from] io::Error),
    #[error(transparent)]
    Broken(#[from] Broken),
    /// It said no: the name of the fault, and its words.
    #[error("{words}")]
    Refused { name: String, words: String },
    /// The run is at its end, or the state's time is over.
    #[error(transparent)]
    Stopped(#[from] CommandError),
}

/// A job that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ended {
    job: String,
    pub(super) unit: String,
    pub(super) result: String,
}

pub(super) struct Connection<'a> {
    stream: UnixStream,
    cancel: &'a Cancel,
    serial: u32,
    destination: Option<&'static str>,
    ended: Vec<Ended>,
}

impl<'a> Connection<'a> {
    /// Connects as whoever this process is.
    pub(super) fn open(cancel: &'a Cancel) -> Result<Connection<'a>, BusError> {
        let uid = nix::unistd::geteuid();
        if uid.is_root()
            && let Ok(stream) = UnixStream::connect(PRIVATE)
        {
            return Connection::greet(stream, cancel, None);
        }
        let stream = UnixStream::connect(BUS)?;
        let mut connection = Connection::greet(stream, cancel, Some(SYSTEMD))?;
        let matching = "type='signal',interface='org.freedesktop.systemd1.Manager',\
                        member='JobRemoved',path='/org/freedesktop/systemd1'";
        connection.ask_daemon("Hello", &[])?;
        connection.ask_daemon("AddMatch", &[Arg::Text(matching)])?;
        connection.manager("Subscribe", &[])?;
        Ok(connection)
    }

    fn greet(
        stream: UnixStream,
        cancel: &'a Cancel,
        destination: Option<&'static str>,
    ) -> Result<Connection<'a>, BusError> {
        stream.set_read_timeout(Some(POLL))?;
        stream.set_write_timeout(Some(ANSWER))?;
        let ended = Vec::new();
        let mut connection = Connection { stream, cancel, serial: 0, destination, ended };
        let uid = nix::unistd::geteuid().to_string();
        let uid: String = uid.bytes().map(|digit| format!("{digit:02x}")).collect();
        // BEGIN goes before the answer: systemd leaves a call unread that it gets in one piece with
        // it, until more comes.
        let hello = format!("\0AUTH EXTERNAL {uid}\r\nBEGIN\r\n");
        connection.stream.write_all(hello.as_bytes())?;
        let until = Some(Instant::now() + ANSWER);
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            let mut byte = [0];
            connection.read(&mut byte, until)?;
            line.push(byte[0]);
            if line.len() > GREETING_MAX {
                break;
            }
        }
        if !line.starts_with(b"OK ") {
            let told = String::from_utf8_lossy(&line).trim_end().to_owned();
            return Err(io::Error::new(ErrorKind::PermissionDenied, told).into());
        }
        Ok(connection)
    }

    /// Calls the manager.
    pub(super) fn manager(
        &mut self,
        member: &str,
        args: &[Arg<'_>],
    ) -> Result<Vec<Value>, BusError> {
        let call = Call {
            destination: self.destination,
            path: "/org/freedesktop/systemd1",
            interface: "org.freedesktop.systemd1.Manager",
            member,
            args,
        };
        self.call(&call)
    }

    /// Reads properties of what lies at a path.
    ///
    /// All are asked for at once: systemd may unload a unit between two questions.
    pub(super) fn properties(
        &mut self,
        path: &str,
        interface: &str,
        names: &[&str],
    ) -> Result<Vec<Value>, BusError> {
        let first = self.serial + 1;
        for name in names {
            let call = Call {
                destination: self.destination,
                path,
                interface: "org.freedesktop.DBus.Properties",
                member: "Get",
                args: &[Arg::Text(interface), Arg::Text(name)],
            };
            self.send(&call)?;
        }
        let serials = first..=self.serial;
        serials.map(|serial| self.answer(serial)?.pop().ok_or_else(|| nothing().into())).collect()
    }

    /// Waits for the end of a job.
    pub(super) fn end_of(&mut self, job: &str) -> Result<Ended, BusError> {
        loop {
            if let Some(at) = self.ended.iter().position(|ended| ended.job == job) {
                return Ok(self.ended.swap_remove(at));
            }
            // A job takes as long as its unit needs.
            self.receive(None)?;
        }
    }

    fn ask_daemon(&mut self, member: &str, args: &[Arg<'_>]) -> Result<Vec<Value>, BusError> {
        let (destination, path) = (Some(DAEMON), "/org/freedesktop/DBus");
        self.call(&Call { destination, path, interface: DAEMON, member, args })
    }

    fn call(&mut self, call: &Call<'_>) -> Result<Vec<Value>, BusError> {
        self.send(call)?;
        self.answer(self.serial)
    }

    fn send(&mut self, call: &Call<'_>) -> Result<(), BusError> {
        self.serial += 1;
        Ok(self.stream.write_all(&wire::encode(call, self.serial))?)
    }

    fn answer(&mut self, serial: u32) -> Result<Vec<Value>, BusError> {
        let until = Some(Instant::now() + ANSWER);
        loop {
            let message = self.receive(until)?;
            match message.kind {
                Kind::Answer { to } if to == serial => return Ok(message.values),
                Kind::Error { to, name } if to == serial => {
                    let words = message.values.first().and_then(Value::text);
                    let words = words.unwrap_or(&name).to_owned();
                    return Err(BusError::Refused { name, words });
                }
                Kind::Answer { .. } | Kind::Error { .. } | Kind::Signal { .. } | Kind::Other => {}
            }
        }
    }

    /// The next message; the end of a job is kept besides.
    fn receive(&mut self, until: Option<Instant>) -> Result<Message, BusError> {
        let mut start = [0; START];
        self.read(&mut start, until)?;
        let mut bytes = vec![0; wire::size(&start)?];
        bytes[..START].copy_from_slice(&start);
        self.read(&mut bytes[START..], until)?;
        let message = wire::decode(&bytes)?;
        let removed = Kind::Signal { member: "JobRemoved".to_owned() };
        if message.kind == removed && self.ended.len() < ENDED_MAX {
            self.ended.extend(ended(&message.values));
        }
        Ok(message)
    }

    fn read(&mut self, mut into: &mut [u8], until: Option<Instant>) -> Result<(), BusError> {
        while !into.is_empty() {
            match self.stream.read(into) {
                Ok(0) => return Err(io::Error::from(ErrorKind::ConnectionReset).into()),
                Ok(count) => into = &mut into[count..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) => return Err(error.into()),
            }
            self.cancel.check()?;
            if until.is_some_and(|until| Instant::now() >= until) && !into.is_empty() {
                return Err(io::Error::from(ErrorKind::TimedOut).into());
            }
        }
        Ok(())
    }
}

fn nothing() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "an answer without what was asked for")
}

/// `JobRemoved`: number, path, unit and result.
fn ended(values: &[Value]) -> Option<Ended> {
    let text = |at: usize| values.get(at).and_then(Value::text).map(str::to_owned);
    Some(Ended { job: text(1)?, unit: text(2)?, result: text(3)? })
}
