//! libyaml's parser, with which Salt reads: its events as values, its faults as errors.
//!
//! The crate is libyaml itself, translated; so its calls are C's. A parser lives on the heap, as it
//! may not move, and as long as the text that it reads.
#![allow(unsafe_code, reason = "the calls of libyaml; nothing of them leaves this file")]

use std::ffi::{CStr, c_char};
use std::marker::PhantomData;
use std::mem::MaybeUninit;

use unsafe_libyaml_norway as unsafe_libyaml;

/// A place in the text: line, and character in it, from 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) line: u64,
    pub(super) column: u64,
}

/// What the parser came to.
pub(super) struct Event {
    pub(super) data: EventData,
    pub(super) start_mark: Mark,
}

/// The kinds of events, with what the loader asks of them.
pub(super) enum EventData {
    StreamStart,
    StreamEnd,
    DocumentStart,
    DocumentEnd,
    Alias {
        anchor: String,
    },
    Scalar {
        anchor: Option<String>,
        tag: Option<String>,
        value: String,
        /// Whether the value alone says what type it is of.
        plain_implicit: bool,
        is_plain: bool,
    },
    SequenceStart {
        anchor: Option<String>,
        tag: Option<String>,
    },
    SequenceEnd,
    MappingStart {
        anchor: Option<String>,
        tag: Option<String>,
    },
    MappingEnd,
}

/// What does not parse.
pub(super) enum Error {
    /// A character that no document may hold, and the byte where it stands.
    Character { problem: String, value: i32, offset: u64 },
    /// All other faults.
    Syntax {
        problem: String,
        mark: Mark,
        /// What it is part of, and where that begins.
        context: Option<(String, Mark)>,
        /// Whether it is in a word, and not in how words stand together.
        in_scanner: bool,
    },
}

/// A parser of one text.
pub(super) struct Parser<'a> {
    inner: Box<MaybeUninit<unsafe_libyaml::yaml_parser_t>>,
    text: PhantomData<&'a str>,
}

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a str) -> Parser<'a> {
        let mut inner = Box::new(MaybeUninit::uninit());
        let parser = inner.as_mut_ptr();
        let length = u64::try_from(text.len()).unwrap_or(u64::MAX);
        // SAFETY: initialising writes the whole of it; the text outlives the parser.
        unsafe {
            if unsafe_libyaml::yaml_parser_initialize(parser).fail {
                std::alloc::handle_alloc_error(std::alloc::Layout::new::<
                    unsafe_libyaml::yaml_parser_t,
                >());
            }
            unsafe_libyaml::yaml_parser_set_encoding(parser, unsafe_libyaml::YAML_UTF8_ENCODING);
            unsafe_libyaml::yaml_parser_set_input_string(parser, text.as_ptr(), length);
        }
        Parser { inner, text: PhantomData }
    }

    /// The next event. After the end of the stream, and after a fault, there is none.
    pub(super) fn parse(&mut self) -> Result<Event, Error> {
        let mut event = MaybeUninit::<unsafe_libyaml::yaml_event_t>::uninit();
        // SAFETY: the parser is initialised; a call that succeeds has written the event, whose
        // fields are read as its type says and which is freed once.
        unsafe {
            if unsafe_libyaml::yaml_parser_parse(self.inner.as_mut_ptr(), event.as_mut_ptr()).fail {
                return Err(self.error());
            }
            let mut event = event.assume_init();
            let read = Event { data: data(&event), start_mark: mark(event.start_mark) };
            unsafe_libyaml::yaml_event_delete(&raw mut event);
            Ok(read)
        }
    }

    /// # Safety
    /// The parser has failed.
    unsafe fn error(&self) -> Error {
        // SAFETY: the parser is initialised; its texts are constants or null.
        let (parser, problem, context) = unsafe {
            let parser = &*self.inner.as_ptr();
            (parser, constant(parser.problem), constant(parser.context))
        };
        let problem = problem.unwrap_or_else(|| "out of memory".to_owned());
        if parser.error == unsafe_libyaml::YAML_READER_ERROR {
            let (value, offset) = (parser.problem_value, parser.problem_offset);
            return Error::Character { problem, value, offset };
        }
        Error::Syntax {
            problem,
            mark: mark(parser.problem_mark),
            context: context.map(|context| (context, mark(parser.context_mark))),
            in_scanner: parser.error == unsafe_libyaml::YAML_SCANNER_ERROR,
        }
    }
}

impl Drop for Parser<'_> {
    fn drop(&mut self) {
        // SAFETY: initialised by `new`, and not used again.
        unsafe { unsafe_libyaml::yaml_parser_delete(self.inner.as_mut_ptr()) }
    }
}

fn mark(mark: unsafe_libyaml::yaml_mark_t) -> Mark {
    Mark { line: mark.line, column: mark.column }
}

/// # Safety
/// The event was written by the parser and is not freed yet.
unsafe fn data(event: &unsafe_libyaml::yaml_event_t) -> EventData {
    // SAFETY: the field of the union is the one of the event's type.
    unsafe {
        match event.type_ {
            unsafe_libyaml::YAML_STREAM_END_EVENT => EventData::StreamEnd,
            unsafe_libyaml::YAML_DOCUMENT_START_EVENT => EventData::DocumentStart,
            unsafe_libyaml::YAML_DOCUMENT_END_EVENT => EventData::DocumentEnd,
            unsafe_libyaml::YAML_ALIAS_EVENT => {
                let alias = &event.data.alias;
                EventData::Alias { anchor: text(alias.anchor).unwrap_or_default() }
            }
            unsafe_libyaml::YAML_SCALAR_EVENT => {
                let scalar = &event.data.scalar;
                let length = usize::try_from(scalar.length).unwrap_or_default();
                let value = std::slice::from_raw_parts(scalar.value, length);
                let lossy = |_| String::from_utf8_lossy(value).into_owned();
                EventData::Scalar {
                    anchor: text(scalar.anchor),
                    tag: text(scalar.tag),
                    value: str::from_utf8(value).map_or_else(lossy, str::to_owned),
                    plain_implicit: scalar.plain_implicit,
                    is_plain: scalar.style == unsafe_libyaml::YAML_PLAIN_SCALAR_STYLE,
                }
            }
            unsafe_libyaml::YAML_SEQUENCE_START_EVENT => {
                let start = &event.data.sequence_start;
                EventData::SequenceStart { anchor: text(start.anchor), tag: text(start.tag) }
            }
            unsafe_libyaml::YAML_SEQUENCE_END_EVENT => EventData::SequenceEnd,
            unsafe_libyaml::YAML_MAPPING_START_EVENT => {
                let start = &event.data.mapping_start;
                EventData::MappingStart { anchor: text(start.anchor), tag: text(start.tag) }
            }
            unsafe_libyaml::YAML_MAPPING_END_EVENT => EventData::MappingEnd,
            // A stream's start, and no event, which there is none of before the stream's end.
            _ => EventData::StreamStart,
        }
    }
}

/// # Safety
/// Null, or a text that ends with a zero.
unsafe fn text(start: *const u8) -> Option<String> {
    // SAFETY: as asked for.
    unsafe { constant(start.cast()) }
}

/// # Safety
/// Null, or a text that ends with a zero.
unsafe fn constant(start: *const c_char) -> Option<String> {
    if start.is_null() {
        return None;
    }
    // SAFETY: as asked for.
    Some(unsafe { CStr::from_ptr(start) }.to_string_lossy().into_owned())
}
