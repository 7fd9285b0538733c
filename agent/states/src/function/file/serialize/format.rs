//! The formats, the options that each takes, and what is refused before anything runs.

use serde_json::{Map, Value};

use super::{ini, json, toml};
use crate::chunk::Chunk;
use crate::data::{key, sorted};
use crate::function::Lint;
use crate::function::args::{text, truth};
use crate::yaml;
use crate::yaml::emit::{self, Style};

/// A format that this engine writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Yaml,
    Json,
    Toml,
    Ini,
}

/// `serializer_opts` and `encoding`.
pub(super) struct Options {
    given: Map<String, Value>,
    /// Signs that are not ASCII stay as they are.
    pub(super) unicode: bool,
}

impl Options {
    pub(super) fn of(chunk: &Chunk, format: Format) -> Options {
        let given = given(chunk, "serializer_opts");
        let encoding = chunk.args.get("encoding").is_some_and(truth);
        let unicode = match format {
            Format::Yaml => given.get("allow_unicode").map(truth),
            Format::Json => Some(!given.get("ensure_ascii").is_some_and(truth)),
            Format::Toml | Format::Ini => Some(true),
        };
        Options { unicode: unicode.unwrap_or(encoding), given }
    }

    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        self.given.get(key)
    }

    pub(super) fn flag(&self, key: &str, default: bool) -> bool {
        self.get(key).map_or(default, truth)
    }
}

/// Options of a list of maps, or of words; what is no list Salt leaves out.
fn given(chunk: &Chunk, key: &str) -> Map<String, Value> {
    let mut out = Map::new();
    for item in chunk.args.get(key).and_then(Value::as_array).into_iter().flatten() {
        match item {
            Value::Object(map) => out.extend(map.clone()),
            other => {
                out.insert(text(other), Value::Null);
            }
        }
    }
    out
}

impl Format {
    /// The format that a state asks for; YAML if it asks for none.
    pub(super) fn of(chunk: &Chunk) -> Result<Format, String> {
        let named = |key: &str| chunk.args.get(key).filter(|value| truth(value)).map(text);
        let name = named("serializer").or_else(|| named("formatter"));
        let name = name.unwrap_or_else(|| "yaml".to_owned()).to_lowercase();
        Ok(match name.as_str() {
            "yaml" => Format::Yaml,
            "json" => Format::Json,
            "toml" => Format::Toml,
            "configparser" => Format::Ini,
            _ => {
                return Err(format!(
                    "The {name} serializer could not be found. It either does not exist or its \
                     prerequisites are not installed."
                ));
            }
        })
    }

    /// The options that have an effect here, or need none.
    fn options(self) -> &'static [&'static str] {
        match self {
            Format::Yaml => &[
                "default_flow_style",
                "sort_keys",
                "allow_unicode",
                "indent",
                "width",
                "explicit_start",
                // What would stand at the end is cut off.
                "explicit_end",
            ],
            Format::Json => &[
                "indent",
                "separators",
                "sort_keys",
                "ensure_ascii",
                "skipkeys",
                "check_circular",
                "allow_nan",
            ],
            Format::Toml => &[],
            Format::Ini => &["allow_no_value"],
        }
    }

    /// Python's further options, which this engine does not have.
    fn other_options(self) -> &'static [&'static str] {
        match self {
            Format::Yaml => {
                &["default_style", "canonical", "line_break", "encoding", "version", "tags"]
            }
            Format::Json => &["cls", "default"],
            Format::Toml => &["encoder"],
            Format::Ini => &[
                "defaults",
                "dict_type",
                "delimiters",
                "comment_prefixes",
                "inline_comment_prefixes",
                "strict",
                "empty_lines_in_values",
                "default_section",
                "interpolation",
                "converters",
            ],
        }
    }

    /// An option that there is not: the writer is called with it, and fails.
    pub(super) fn unknown_option(self, chunk: &Chunk) -> Option<String> {
        let known =
            |name: &str| self.options().contains(&name) || self.other_options().contains(&name);
        let name = given(chunk, "serializer_opts").keys().find(|name| !known(name)).cloned()?;
        Some(format!("the serializer got an unexpected keyword argument '{name}'"))
    }

    /// The same of the reader.
    pub(super) fn unread_option(chunk: &Chunk) -> Option<String> {
        let name = given(chunk, "deserializer_opts").keys().next().cloned()?;
        Some(format!("load() got an unexpected keyword argument '{name}'"))
    }

    pub(super) fn write(self, data: &Value, options: &Options) -> Result<String, String> {
        match self {
            Format::Yaml => Ok(yaml_text(data, options)),
            Format::Json if options.flag("sort_keys", true) && !key::sortable(data) => {
                Err("'<' not supported between keys of these types".to_owned())
            }
            Format::Json => Ok(json::write(data, options)),
            Format::Toml => toml::write(data),
            Format::Ini => ini::write(data, options),
        }
    }

    pub(super) fn read(self, text: &str) -> Result<Value, String> {
        match self {
            Format::Yaml => {
                let read = yaml::parse_serialized(text).map(yaml::Node::into_json);
                read.map_err(|error| error.to_string())
            }
            Format::Json => json::read(text),
            Format::Ini => ini::read(text),
            Format::Toml => Err("merge_if_exists is not supported for toml".to_owned()),
        }
    }
}

fn yaml_text(data: &Value, options: &Options) -> String {
    let data = if options.flag("sort_keys", true) { sorted(data) } else { data.clone() };
    let style = Style::of(Some(options.flag("default_flow_style", false)));
    let number = |key: &str| options.get(key).and_then(Value::as_i64);
    // As libyaml takes them: what is out of range is as if it were not said.
    let indent = number("indent").and_then(|indent| i32::try_from(indent).ok());
    let indent = indent.filter(|indent| (2..10).contains(indent)).unwrap_or(style.indent);
    let width = match number("width") {
        Some(width) if width < 0 => usize::MAX,
        Some(width) if width > i64::from(indent) * 2 => {
            usize::try_from(width).unwrap_or(style.width)
        }
        Some(_) | None => style.width,
    };
    let start = options.flag("explicit_start", false);
    emit::styled(&data, Style { ascii: !options.unicode, indent, width, start, ..style })
}

/// What Salt has and this engine does not.
pub(super) fn lint(chunk: &Chunk) -> Vec<Lint> {
    let Ok(format) = Format::of(chunk) else {
        let key = serializer_key(chunk);
        let name = chunk.args.get(key).map(text).unwrap_or_default().to_lowercase();
        if !OTHERS.contains(&name.as_str()) {
            return Vec::new();
        }
        let told = format!(
            "the serializer '{name}' is not supported: use yaml, json, toml or configparser"
        );
        return vec![(key, told)];
    };
    let mut out = Vec::new();
    for name in given(chunk, "serializer_opts").keys() {
        if format.other_options().contains(&name.as_str()) {
            let told = format!(
                "the option '{name}' of serializer_opts is not supported: those that are: {}",
                format.options().join(", ")
            );
            out.push(("serializer_opts", told));
        }
    }
    let merges = chunk.args.get("merge_if_exists").is_some_and(truth);
    let names = given(chunk, "deserializer_opts");
    let other = names.keys().find(|_| merges && matches!(format, Format::Json | Format::Ini));
    if let Some(name) = other {
        let told = format!("the option '{name}' of deserializer_opts is not supported: remove it");
        out.push(("deserializer_opts", told));
    }
    if format == Format::Toml && merges {
        let told = "merging into a TOML file is not supported: give the whole dataset".to_owned();
        out.push(("merge_if_exists", told));
    }
    out
}

/// Salt's serializers that are loaded where it is installed, beside those of this engine.
const OTHERS: [&str; 2] = ["msgpack", "yamlex"];

/// What Salt finds wrong where it comes to the state.
pub(super) fn doubt(chunk: &Chunk) -> Vec<Lint> {
    match Format::of(chunk) {
        Err(problem) => vec![(serializer_key(chunk), problem)],
        Ok(format) => {
            let problem = format.unknown_option(chunk);
            problem.map(|problem| ("serializer_opts", problem)).into_iter().collect()
        }
    }
}

fn serializer_key(chunk: &Chunk) -> &'static str {
    if chunk.args.contains_key("serializer") { "serializer" } else { "formatter" }
}
