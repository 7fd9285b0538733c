//! D-Bus messages: as much of their form as talking to systemd takes.
//!
//! Calls carry texts, lists of texts and flags; answers are read whatever they carry. Only the
//! byte order of most machines is spoken: one of the other order is served by systemctl.

/// Bytes of one message.
pub(super) const MESSAGE_MAX: usize = 1 << 20;
/// How deep values may lie in each other.
const DEPTH_MAX: usize = 16;
/// Bytes of a message before its list of fields.
pub(super) const START: usize = 16;

const CALL: u8 = 1;
const ANSWER: u8 = 2;
const ERROR: u8 = 3;
const SIGNAL: u8 = 4;

/// An argument of a call.
#[derive(Debug, Clone, Copy)]
pub(super) enum Arg<'a> {
    Text(&'a str),
    Texts(&'a [&'a str]),
    Flag(bool),
}

/// What is called, and where.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'a> {
    /// The name on a bus; systemd's own socket has none.
    pub(super) destination: Option<&'a str>,
    pub(super) path: &'a str,
    pub(super) interface: &'a str,
    pub(super) member: &'a str,
    pub(super) args: &'a [Arg<'a>],
}

/// What a message carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    Flag(bool),
    Number(u64),
    List(Vec<Value>),
}

impl Value {
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            Value::Flag(_) | Value::Number(_) | Value::List(_) => None,
        }
    }
}

/// What a message is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Answer { to: u32 },
    Error { to: u32, name: String },
    Signal { member: String },
    Other,
}

/// A message that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) kind: Kind,
    pub(super) values: Vec<Value>,
}

/// A message that makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a message of the bus is broken: {0}")]
pub(super) struct Broken(&'static str);

/// The bytes of a call.
pub(super) fn encode(call: &Call<'_>, serial: u32) -> Vec<u8> {
    let mut body = Writer::default();
    let mut signature = String::new();
    for arg in call.args {
        match arg {
            Arg::Text(text) => {
                signature.push('s');
                body.text(text);
            }
            Arg::Flag(flag) => {
                signature.push('b');
                body.number(u32::from(*flag));
            }
            Arg::Texts(texts) => {
                signature.push_str("as");
                body.list(4, |list| texts.iter().for_each(|text| list.text(text)));
            }
        }
    }
    let mut out = Writer::default();
    out.bytes.extend([b'l', CALL, 0, 1]);
    out.number(length(body.bytes.len()));
    out.number(serial);
    out.list(8, |fields| {
        fields.field(1, 'o', call.path);
        fields.field(2, 's', call.interface);
        fields.field(3, 's', call.member);
        if let Some(destination) = call.destination {
            fields.field(6, 's', destination);
        }
        if !signature.is_empty() {
            fields.field(8, 'g', &signature);
        }
    });
    out.pad(8);
    out.bytes.extend(body.bytes);
    out.bytes
}

#[derive(Default)]
struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    fn pad(&mut self, to: usize) {
        self.bytes.resize(self.bytes.len().next_multiple_of(to), 0);
    }

    fn number(&mut self, number: u32) {
        self.pad(4);
        self.bytes.extend(number.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.number(length(text.len()));
        self.bytes.extend(text.as_bytes());
        self.bytes.push(0);
    }

    fn signature(&mut self, text: &str) {
        self.bytes.push(u8::try_from(text.len()).expect("signatures here are a few letters"));
        self.bytes.extend(text.as_bytes());
        self.bytes.push(0);
    }

    fn field(&mut self, code: u8, kind: char, text: &str) {
        self.pad(8);
        self.bytes.push(code);
        self.signature(&kind.to_string());
        if kind == 'g' { self.signature(text) } else { self.text(text) }
    }

    fn list(&mut self, align: usize, items: impl FnOnce(&mut Writer)) {
        self.number(0);
        let at = self.bytes.len();
        self.pad(align);
        let first = self.bytes.len();
        items(self);
        let length = length(self.bytes.len() - first);
        self.bytes[at - 4..at].copy_from_slice(&length.to_le_bytes());
    }
}

fn length(length: usize) -> u32 {
    u32::try_from(length).expect("what is sent is far smaller")
}

/// How long the message is whose start is here.
pub(super) fn size(start: &[u8; START]) -> Result<usize, Broken> {
    if start[0] != b'l' || start[3] != 1 {
        return Err(Broken("it is of another byte order or version"));
    }
    let word = |at: usize| {
        u32::from_le_bytes(start[at..at + 4].try_into().expect("four bytes are")) as usize
    };
    let (body, fields) = (word(4), word(12));
    let size = fields.saturating_add(START).next_multiple_of(8).saturating_add(body);
    if size > MESSAGE_MAX { Err(Broken("it is too long")) } else { Ok(size) }
}

/// Reads a whole message.
pub(super) fn decode(bytes: &[u8]) -> Result<Message, Broken> {
    let mut reader = Reader { bytes, at: 12 };
    let (mut to, mut member, mut name, mut signature) = (0, None, None, String::new());
    let fields = reader.number()? as usize;
    let end = reader.at.saturating_add(fields);
    while reader.at < end {
        reader.pad(8)?;
        let code = reader.byte()?;
        let kind = reader.signature()?;
        let value = reader.value(&mut kind.as_bytes(), 0)?;
        match (code, value) {
            (3, Value::Text(text)) => member = Some(text),
            (4, Value::Text(text)) => name = Some(text),
            (5, Value::Number(number)) => to = u32::try_from(number).unwrap_or_default(),
            (8, Value::Text(text)) => signature = text,
            _ => {}
        }
    }
    reader.pad(8)?;
    let mut kinds = signature.as_bytes();
    let mut values = Vec::new();
    while !kinds.is_empty() {
        values.push(reader.value(&mut kinds, 0)?);
    }
    let kind = match bytes.get(1) {
        Some(&ANSWER) => Kind::Answer { to },
        Some(&ERROR) => Kind::Error { to, name: name.unwrap_or_default() },
        Some(&SIGNAL) => Kind::Signal { member: member.unwrap_or_default() },
        _ => Kind::Other,
    };
    Ok(Message { kind, values })
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Broken> {
        let end = self.at.checked_add(count).ok_or(Broken("it is too short"))?;
        let taken = self.bytes.get(self.at..end).ok_or(Broken("it is too short"))?;
        self.at = end;
        Ok(taken)
    }

    fn pad(&mut self, to: usize) -> Result<(), Broken> {
        self.take(self.at.next_multiple_of(to) - self.at).map(drop)
    }

    fn byte(&mut self) -> Result<u8, Broken> {
        self.take(1).map(|bytes| bytes[0])
    }

    /// A number of so many bytes.
    fn sized(&mut self, bytes: usize) -> Result<u64, Broken> {
        self.pad(bytes)?;
        let mut whole = [0; 8];
        whole[..bytes].copy_from_slice(self.take(bytes)?);
        Ok(u64::from_le_bytes(whole))
    }

    fn number(&mut self) -> Result<u32, Broken> {
        self.sized(4).map(|number| number as u32)
    }

    fn words(&mut self, count: usize) -> Result<String, Broken> {
        let text = String::from_utf8_lossy(self.take(count)?).into_owned();
        self.take(1)?;
        Ok(text)
    }

    fn signature(&mut self) -> Result<String, Broken> {
        let count = self.byte()?;
        self.words(usize::from(count))
    }

    /// The value that the first kind of a signature is of; the signature goes on behind it.
    fn value(&mut self, kinds: &mut &[u8], depth: usize) -> Result<Value, Broken> {
        if depth > DEPTH_MAX {
            return Err(Broken("it is too deep"));
        }
        Ok(match next(kinds)? {
            b'y' => Value::Number(u64::from(self.byte()?)),
            b'n' | b'q' => Value::Number(self.sized(2)?),
            b'i' | b'u' | b'h' => Value::Number(self.sized(4)?),
            b'x' | b't' | b'd' => Value::Number(self.sized(8)?),
            b'b' => Value::Flag(self.sized(4)? != 0),
            b's' | b'o' => {
                let count = self.number()?;
                Value::Text(self.words(count as usize)?)
            }
            b'g' => Value::Text(self.signature()?),
            b'v' => {
                let kind = self.signature()?;
                self.value(&mut kind.as_bytes(), depth + 1)?
            }
            b'(' | b'{' => {
                self.pad(8)?;
                let mut items = Vec::new();
                while !matches!(kinds.first(), Some(b')' | b'}')) {
                    items.push(self.value(kinds, depth + 1)?);
                }
                next(kinds)?;
                if items.is_empty() {
                    return Err(Broken("it has a structure of nothing"));
                }
                Value::List(items)
            }
            b'a' => self.list(kinds, depth)?,
            _ => return Err(Broken("it has a kind of value that nobody knows")),
        })
    }

    fn list(&mut self, kinds: &mut &[u8], depth: usize) -> Result<Value, Broken> {
        let length = self.number()? as usize;
        self.pad(match kinds.first() {
            Some(b'x' | b't' | b'd' | b'(' | b'{') => 8,
            Some(b'n' | b'q') => 2,
            Some(b'y' | b'g' | b'v') => 1,
            _ => 4,
        })?;
        let end = self.at.checked_add(length).ok_or(Broken("it is too short"))?;
        if end > self.bytes.len() {
            return Err(Broken("it is too short"));
        }
        let item = whole(kinds, depth)?;
        let mut items = Vec::new();
        while self.at < end {
            items.push(self.value(&mut &item[..], depth + 1)?);
        }
        Ok(Value::List(items))
    }
}

fn next(kinds: &mut &[u8]) -> Result<u8, Broken> {
    let (first, rest) = kinds.split_first().ok_or(Broken("a kind of value is missing"))?;
    *kinds = rest;
    Ok(*first)
}

/// Takes the first whole kind off a signature: `(ss)` of `(ss)u`.
fn whole<'a>(kinds: &mut &'a [u8], depth: usize) -> Result<&'a [u8], Broken> {
    let all = *kinds;
    skip(kinds, depth)?;
    Ok(&all[..all.len() - kinds.len()])
}

fn skip(kinds: &mut &[u8], depth: usize) -> Result<(), Broken> {
    if depth > DEPTH_MAX {
        return Err(Broken("it is too deep"));
    }
    match next(kinds)? {
        b'a' => skip(kinds, depth + 1),
        b'(' | b'{' => {
            while !matches!(kinds.first(), Some(b')' | b'}')) {
                skip(kinds, depth + 1)?;
            }
            next(kinds).map(drop)
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message as systemd would send it: its kind, fields and a body.
    fn message(kind: u8, fields: impl FnOnce(&mut Writer), body: &[u8]) -> Vec<u8> {
        let mut out = Writer::default();
        out.bytes.extend([b'l', kind, 0, 1]);
        out.number(length(body.len()));
        out.number(7);
        out.list(8, fields);
        out.pad(8);
        out.bytes.extend(body);
        out.bytes
    }

    #[test]
    fn a_call_is_as_the_specification_has_it() {
        let call = Call {
            destination: None,
            path: "/a",
            interface: "b.c",
            member: "D",
            args: &[Arg::Texts(&["x"]), Arg::Flag(true)],
        };
        let bytes = encode(&call, 3);
        assert_eq!(&bytes[..4], b"l\x01\0\x01");
        assert_eq!(size(bytes[..START].try_into().unwrap()).unwrap(), bytes.len());
        let read = decode(&bytes).unwrap();
        assert_eq!(read.kind, Kind::Other);
        let list = Value::List(vec![Value::Text("x".to_owned())]);
        assert_eq!(read.values, vec![list, Value::Flag(true)]);
    }

    #[test]
    fn answers_errors_and_signals_are_told_apart() {
        let to = |fields: &mut Writer| {
            fields.pad(8);
            fields.bytes.push(5);
            fields.signature("u");
            fields.number(9);
        };
        let mut body = Writer::default();
        body.signature("s");
        body.text("loaded");
        let answer = message(
            ANSWER,
            |fields| {
                to(fields);
                fields.field(8, 'g', "v");
            },
            &body.bytes,
        );
        let read = decode(&answer).unwrap();
        assert_eq!(read.kind, Kind::Answer { to: 9 });
        assert_eq!(read.values[0].text(), Some("loaded"));
        let error = message(
            ERROR,
            |fields| {
                to(fields);
                fields.field(4, 's', "a.Fault");
            },
            &[],
        );
        let name = "a.Fault".to_owned();
        assert_eq!(decode(&error).unwrap().kind, Kind::Error { to: 9, name });
        let signal = message(SIGNAL, |fields| fields.field(3, 's', "JobRemoved"), &[]);
        let member = "JobRemoved".to_owned();
        assert_eq!(decode(&signal).unwrap().kind, Kind::Signal { member });
    }

    #[test]
    fn structures_in_lists_are_read() {
        let mut body = Writer::default();
        body.list(8, |list| {
            for word in ["one", "three"] {
                list.pad(8);
                list.text(word);
                list.number(1);
            }
        });
        let bytes = message(ANSWER, |fields| fields.field(8, 'g', "a(su)"), &body.bytes);
        let item = |word: &str| Value::List(vec![Value::Text(word.to_owned()), Value::Number(1)]);
        let list = Value::List(vec![item("one"), item("three")]);
        assert_eq!(decode(&bytes).unwrap().values, vec![list]);
    }

    #[test]
    fn a_broken_message_is_refused() {
        let call = Call {
            destination: Some("d.e"),
            path: "/a",
            interface: "b.c",
            member: "D",
            args: &[Arg::Text("text"), Arg::Texts(&["x", "y"])],
        };
        let whole = encode(&call, 3);
        for end in START..whole.len() {
            assert!(decode(&whole[..end]).is_err(), "{end}");
        }
        for at in 0..whole.len() {
            for byte in [0, 1, b'a', b'(', 0xff] {
                let mut other = whole.clone();
                other[at] = byte;
                // Whatever comes of it, it comes.
                let _read = decode(&other);
            }
        }
        assert!(size(b"B\x01\0\x01\0\0\0\0\0\0\0\0\0\0\0\0").is_err());
        assert!(size(b"l\x01\0\x01\xff\xff\xff\xff\0\0\0\0\0\0\0\0").is_err());
    }
}
