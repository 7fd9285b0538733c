//! Setting a grain at a path: Salt's rules for what may be overwritten.

use serde_json::{Map, Value, json};

use super::store::{Store, write};
use crate::function::Context;
use crate::function::args::text;
use crate::outcome::{Changes, change};

/// Sets a grain; what is told to have changed: the top-level fact that holds it, as it is now.
pub(crate) fn set(
    ctx: &Context<'_>,
    path: &str,
    value: &Value,
    destructive: bool,
) -> Result<Changes, String> {
    let store = Store::read(ctx);
    let force = ctx.flag("force", false);
    allowed(store.get(path).as_ref(), path, value, force)?;
    let (top, value) = raised(&store, path, value, destructive, force)?;
    let taken_out = value.is_null() && destructive;
    write(ctx, &top, (!taken_out).then_some(&value))?;
    Ok(change(top, value))
}

fn allowed(own: Option<&Value>, path: &str, value: &Value, force: bool) -> Result<(), String> {
    let complex = |value: &Value| value.is_object() || value.is_array();
    match own {
        Some(own) if complex(own) && !force => Err(format!(
            "The key '{path}' exists but is a dict or a list. Use 'force=True' to overwrite."
        )),
        Some(own) if !own.is_null() && complex(value) && !force => Err(format!(
            "The key '{path}' exists and the given value is a dict or a list. Use 'force=True' to \
             overwrite."
        )),
        Some(_) | None => Ok(()),
    }
}

/// The top-level fact with the value in its place.
fn raised(
    store: &Store,
    path: &str,
    value: &Value,
    destructive: bool,
    force: bool,
) -> Result<(String, Value), String> {
    let (mut path, mut value) = (path.to_owned(), value.clone());
    while let Some((above, last)) = path.clone().rsplit_once(':') {
        let parent = store.get(above).unwrap_or_else(|| json!({}));
        value = match parent {
            Value::Object(mut map) => {
                if value.is_null() && destructive {
                    map.shift_remove(last);
                } else {
                    map.insert(last.to_owned(), value);
                }
                Value::Object(map)
            }
            Value::Array(items) => Value::Array(in_list(items, last, &value)),
            other if text(&other) == last || force => json!({last: value}),
            other => {
                let other = text(&other);
                return Err(format!(
                    "The key '{above}' value is '{other}', which is different from the provided \
                     key '{last}'. Use 'force=True' to overwrite."
                ));
            }
        };
        above.clone_into(&mut path);
    }
    Ok((path, value))
}

fn in_list(mut items: Vec<Value>, key: &str, value: &Value) -> Vec<Value> {
    let mut found = false;
    for item in &mut items {
        if item == key {
            *item = json!({key: value});
            found = true;
        } else if let Some(map) = item.as_object_mut().filter(|map| map.contains_key(key)) {
            map.insert(key.to_owned(), value.clone());
            found = true;
        }
    }
    if !found {
        items.push(Value::Object(Map::from_iter([(key.to_owned(), value.clone())])));
    }
    items
}

/// Puts a whole list in the place of one; what is told to have changed.
pub(crate) fn put(ctx: &Context<'_>, path: &str, value: &Value) -> Result<Changes, String> {
    let (top, value) = raised(&Store::read(ctx), path, value, false, true)?;
    write(ctx, &top, Some(&value))?;
    Ok(change(top, value))
}
