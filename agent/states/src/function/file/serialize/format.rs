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

/// Options as a map, also where they are a list of maps of one.
fn given(chunk: &Chunk, key: &str) -> Map<String, Value> {
    match chunk.args.get(key) {
        Some(Value::Object(map)) => map.clone(),
        Some(Value::Array(items)) => {
            items.iter().filter_map(Value::as_object).flat_map(Map::clone).collect()
        }
        _ => Map::new(),
    }
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
                    "the serializer '{name}' is not supported: use yaml, json, toml or \
                     configparser"
                ));
            }
        })
    }

    fn options(self) -> &'static [&'static str] {
        match self {
            Format::Yaml => &["default_flow_style", "sort_keys", "allow_unicode"],
            Format::Json => &["indent", "separators", "sort_keys", "ensure_ascii"],
            Format::Toml => &[],
            Format::Ini => &["allow_no_value"],
        }
    }

    pub(super) fn write(self, data: &Value, options: &Options) -> Result<String, String> {
        match self {
            Format::Yaml => Ok(yaml_text(data, options)),
            Format::Json => Ok(json::write(data, options)),
            Format::Toml => toml::write(&key::plain(data.clone())),
            Format::Ini => ini::write(&key::plain(data.clone()), options),
        }
    }

    pub(super) fn read(self, text: &str) -> Result<Value, String> {
        match self {
            Format::Yaml => {
                yaml::parse(text).map(|node| node.to_json()).map_err(|error| error.to_string())
            }
            Format::Json => json::read(text),
            Format::Ini => ini::read(text),
            Format::Toml => Err("merge_if_exists is not supported for toml".to_owned()),
        }
    }
}

fn yaml_text(data: &Value, options: &Options) -> String {
    let data = if options.flag("sort_keys", true) { sorted(data) } else { data.clone() };
    let mut style = Style::of(Some(options.flag("default_flow_style", false)));
    style.ascii = !options.unicode;
    emit::styled(&data, style)
}

/// Formats and options that this engine does not have.
pub(super) fn lint(chunk: &Chunk) -> Vec<Lint> {
    let key = if chunk.args.contains_key("serializer") { "serializer" } else { "formatter" };
    let format = match Format::of(chunk) {
        Ok(format) => format,
        Err(problem) => return vec![(key, problem)],
    };
    let mut out = Vec::new();
    for name in given(chunk, "serializer_opts").keys() {
        if !format.options().contains(&name.as_str()) {
            let told = format!(
                "the option '{name}' of serializer_opts is not supported: those that are: {}",
                format.options().join(", ")
            );
            out.push(("serializer_opts", told));
        }
    }
    if let Some(name) = given(chunk, "deserializer_opts").keys().next() {
        let told = format!("the option '{name}' of deserializer_opts is not supported: remove it");
        out.push(("deserializer_opts", told));
    }
    if format == Format::Toml && chunk.args.get("merge_if_exists").is_some_and(truth) {
        let told = "merging into a TOML file is not supported: give the whole dataset".to_owned();
        out.push(("merge_if_exists", told));
    }
    out
}
