//! ini: what a file like `php.ini` says.

use minijinja::Error;
use minijinja::value::Value;
use serde_json::Value as Json;

use super::{Call, Function, reads};
use crate::function::ini::document::{Item, Section};
use crate::regex::byte_text;
use crate::render::python::from_json;

/// This module's functions.
pub(super) const ALL: &[Function] = &[
    reads("ini.get_option", "file_name section option separator= encoding=", |call| {
        let (file, option) = (document(call)?, call.text("option"));
        let section = call.text_of("section").filter(|name| !name.is_empty());
        let found = match section.map(|name| file.items.get(&name)) {
            None => file.items.get(&option),
            Some(Some(Item::Section(section))) => section.items.get(&option),
            Some(_) => None,
        };
        Ok(found.map_or_else(|| Value::from(()), |item| from_json(&item.json())))
    }),
    reads("ini.get_section", "file_name section separator= encoding=", |call| {
        let file = document(call)?;
        match file.items.get(&call.text("section")) {
            Some(Item::Section(section)) => Ok(from_json(&Json::Object(section.plain()))),
            Some(Item::Text(_)) => Err(call.fail("'str' object has no attribute 'items'")),
            None => Ok(from_json(&serde_json::json!({}))),
        }
    }),
    reads("ini.get_ini", "file_name separator= encoding=", |call| {
        Ok(from_json(&Json::Object(document(call)?.plain())))
    }),
];

/// The file; one that is not there is empty.
fn document(call: &Call<'_>) -> Result<Section, Error> {
    let name = call.text("file_name");
    let latin = call.text_of("encoding").is_some_and(|name| {
        ["latin-1", "latin1", "iso-8859-1"].contains(&name.to_lowercase().as_str())
    });
    let text = match call.scope.host.read(&name) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => {
            let words = super::file::os_error(&error, &name);
            return Err(call.fail(format!("Unable to open file '{name}'. Exception: {words}")));
        }
        Ok(data) if latin => byte_text(&data),
        Ok(data) => String::from_utf8_lossy(&data).into_owned(),
    };
    Section::parse(&text, &call.text_or("separator", "="), false).map_err(|words| call.fail(words))
}
