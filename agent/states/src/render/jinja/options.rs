//! How a template is read: Jinja's delimiters and white space, changed by minion options and by a
//! `#jinja2:` header.

use std::borrow::Cow;

use serde_json::Value as Json;

use crate::opts::Opts;

/// What a template is, before its own header is read.
#[derive(Debug, Clone, Default)]
pub(in crate::render) struct Kinds {
    sls: Options,
    other: Options,
}

impl Kinds {
    /// As minion options have them.
    pub(in crate::render) fn of(opts: &Opts) -> Kinds {
        let kind = |name| {
            let mut options = Options::default();
            for (name, value) in opts.get(name).and_then(Json::as_object).into_iter().flatten() {
                options.set(&name.to_lowercase(), value);
            }
            options.trim |= opts.flag("jinja_trim_blocks");
            options.lstrip |= opts.flag("jinja_lstrip_blocks");
            options
        };
        Kinds { sls: kind("jinja_sls_env"), other: kind("jinja_env") }
    }

    pub(super) fn kind(&self, is_sls: bool) -> &Options {
        if is_sls { &self.sls } else { &self.other }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::render) struct Options {
    pub(super) tag_begin: String,
    pub(super) tag_end: String,
    pub(super) print_begin: String,
    pub(super) print_end: String,
    pub(super) comment_begin: String,
    pub(super) comment_end: String,
    pub(super) line_tag: Option<String>,
    pub(super) line_comment: Option<String>,
    pub(super) trim: bool,
    pub(super) lstrip: bool,
    pub(super) keep_newline: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            tag_begin: "{%".to_owned(),
            tag_end: "%}".to_owned(),
            print_begin: "{{".to_owned(),
            print_end: "}}".to_owned(),
            comment_begin: "{#".to_owned(),
            comment_end: "#}".to_owned(),
            line_tag: None,
            line_comment: None,
            trim: false,
            lstrip: false,
            keep_newline: false,
        }
    }
}

impl Options {
    /// These with what a source asks for, the source without that, and the lines this took away.
    ///
    /// The header is `#jinja2: {..}` on the first line, or on the second after `#!jinja`.
    pub(in crate::render) fn with_header<'a>(
        &self,
        source: &'a str,
    ) -> (Options, Cow<'a, str>, u32) {
        let usual = || (self.clone(), Cow::Borrowed(source), 0);
        let mut lines = source.split_inclusive('\n');
        let Some(first) = lines.next() else { return usual() };
        let shebang = first.starts_with("#!") && !first.starts_with("#!/");
        let (before, line) = if shebang { (first, lines.next()) } else { ("", Some(first)) };
        let Some(line) = line else { return usual() };
        let Some(payload) = line.strip_prefix("#jinja2:") else { return usual() };
        let Ok(Json::Object(map)) = serde_json::from_str(payload) else { return usual() };
        let mut options = self.clone();
        for (name, value) in &map {
            options.set(&name.to_lowercase(), value);
        }
        let rest = &source[before.len() + line.len()..];
        (options, Cow::Owned([before, rest].concat()), 1)
    }

    fn set(&mut self, name: &str, value: &Json) {
        let on = value.as_bool().unwrap_or(!value.is_null());
        let word = value.as_str().filter(|word| !word.is_empty());
        let place = match name {
            "trim_blocks" => return self.trim = on,
            "lstrip_blocks" => return self.lstrip = on,
            "keep_trailing_newline" => return self.keep_newline = on,
            "line_statement_prefix" => return self.line_tag = word.map(str::to_owned),
            "line_comment_prefix" => return self.line_comment = word.map(str::to_owned),
            "block_start_string" => &mut self.tag_begin,
            "block_end_string" => &mut self.tag_end,
            "variable_start_string" => &mut self.print_begin,
            "variable_end_string" => &mut self.print_end,
            "comment_start_string" => &mut self.comment_begin,
            "comment_end_string" => &mut self.comment_end,
            // Salt warns of others in its log, and goes on.
            _ => return,
        };
        if let Some(word) = word {
            word.clone_into(place);
        }
    }

    pub(super) fn is_usual(&self) -> bool {
        *self == Options::default()
    }

    /// The source with line breaks as Jinja has them, and without the last one.
    pub(super) fn normal<'a>(&self, source: &'a str) -> Cow<'a, str> {
        let text = if source.contains('\r') {
            Cow::Owned(source.replace("\r\n", "\n").replace('\r', "\n"))
        } else {
            Cow::Borrowed(source)
        };
        if self.keep_newline || !text.ends_with('\n') {
            return text;
        }
        match text {
            Cow::Borrowed(text) => Cow::Borrowed(&text[..text.len() - 1]),
            Cow::Owned(mut text) => {
                text.pop();
                Cow::Owned(text)
            }
        }
    }
}
