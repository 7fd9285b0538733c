//! INI files as Python's configparser writes and reads them.

use serde_json::{Map, Value};

use super::format::Options;
use crate::data::key;
use crate::function::args::text;

/// The section whose keys count for all.
const DEFAULT: &str = "DEFAULT";

pub(super) fn write(data: &Value, options: &Options) -> Result<String, String> {
    let Value::Object(sections) = data else {
        return Err("configparser can only serialize dictionaries".to_owned());
    };
    let mut out = String::new();
    let first = sections.iter().filter(|(name, _)| *name == DEFAULT);
    let others = sections.iter().filter(|(name, _)| *name != DEFAULT);
    for (name, keys) in first.chain(others) {
        let Value::Object(keys) = keys else {
            return Err(format!("configparser: the section '{name}' must be a map of its keys"));
        };
        if keys.is_empty() && name == DEFAULT {
            continue;
        }
        out.push_str(&format!("[{}]\n", key::text(name)));
        let mut lines: Vec<(String, String)> = Vec::new();
        for (key, value) in keys {
            let key = key::text(key).to_lowercase();
            let line = match value {
                Value::Null if options.flag("allow_no_value", false) => format!("{key}\n"),
                Value::Null => return Err("configparser: option values must be strings".to_owned()),
                value => {
                    let value = text(value);
                    interpolable(&value)?;
                    format!("{key} = {}\n", value.replace('\n', "\n\t"))
                }
            };
            // Keys that differ in case only are one.
            match lines.iter_mut().find(|(own, _)| *own == key) {
                Some(own) => own.1 = line,
                None => lines.push((key, line)),
            }
        }
        lines.iter().for_each(|(_, line)| out.push_str(line));
        out.push('\n');
    }
    Ok(out)
}

/// A `%` must be doubled or start a reference.
fn interpolable(value: &str) -> Result<(), String> {
    let rest = value.replace("%%", "");
    let mut parts = rest.split('%');
    parts.next();
    for part in parts {
        if !part.strip_prefix('(').is_some_and(|rest| rest.contains(")s")) {
            return Err(format!("configparser: invalid interpolation syntax in '{value}'"));
        }
    }
    Ok(())
}

/// The sections of a file, each with the keys of `[DEFAULT]`.
pub(super) fn read(text: &str) -> Result<Value, String> {
    let mut sections: Map<String, Value> = Map::new();
    let mut default: Map<String, Value> = Map::new();
    let mut section: Option<String> = None;
    let mut key: Option<String> = None;
    for (at, line) in text.lines().enumerate() {
        let fault = |what: &str| format!("configparser: line {}: {what}", at + 1);
        let trimmed = line.trim();
        if trimmed.starts_with(['#', ';']) {
            continue;
        }
        let indented = line.starts_with([' ', '\t']);
        let keys = match &section {
            Some(name) if name == DEFAULT => Some(&mut default),
            Some(name) => sections.get_mut(name).and_then(Value::as_object_mut),
            None => None,
        };
        if trimmed.is_empty() || indented && key.is_some() {
            // Goes on with the value above.
            if let (Some(keys), Some(key)) = (keys, &key)
                && let Some(Value::String(value)) = keys.get_mut(key)
            {
                value.push('\n');
                value.push_str(trimmed);
            }
            continue;
        }
        if let Some(name) = trimmed.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            let name = name.0.to_owned();
            if name != DEFAULT && sections.insert(name.clone(), Map::new().into()).is_some() {
                return Err(fault(&format!("section '{name}' already exists")));
            }
            (section, key) = (Some(name), None);
            continue;
        }
        let keys = keys.ok_or_else(|| fault("there is no section header before it"))?;
        let (name, value) = trimmed
            .split_once(['=', ':'])
            .ok_or_else(|| fault("neither a section, a key nor a comment"))?;
        let name = name.trim().to_lowercase();
        if keys.insert(name.clone(), value.trim().into()).is_some() {
            return Err(fault(&format!("option '{name}' already exists")));
        }
        key = Some(name);
    }
    Ok(finished(sections, &default))
}

/// Defaults filled in, empty lines at a value's end cut, `%%` read as `%`.
fn finished(sections: Map<String, Value>, default: &Map<String, Value>) -> Value {
    let whole = |keys: &Value| {
        let mut all = default.clone();
        all.extend(keys.as_object().cloned().unwrap_or_default());
        for value in all.values_mut() {
            if let Value::String(text) = value {
                *text = text.trim_end().replace("%%", "%");
            }
        }
        Value::Object(all)
    };
    sections.iter().map(|(name, keys)| (name.clone(), whole(keys))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_file_is_read_as_configparser_reads_it() {
        let text = "[DEFAULT]\nd = 1\n[one]\nKey: a\n  b\n; no\nx = 5%%\n\n[two]\n";
        let expected = json!({"one": {"d": "1", "key": "a\nb", "x": "5%"}, "two": {"d": "1"}});
        assert_eq!(read(text).unwrap(), expected);
        assert!(read("x = 1\n").is_err());
        assert!(read("[a]\nword\n").is_err());
        assert!(read("[a]\n[a]\n").is_err());
    }

    #[test]
    fn a_percent_sign_must_be_doubled() {
        assert!(interpolable("50%%").is_ok());
        assert!(interpolable("%(home)s/x").is_ok());
        assert!(interpolable("50%").is_err());
    }
}
