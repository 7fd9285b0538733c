//! `|xml`: a dict as an XML document, as Salt builds it.

use minijinja::Error;
use minijinja::value::{Value, ValueKind};

use crate::render::jinja::ops;
use crate::render::markup::escaped;
use crate::render::python::{fault, is_tuple, items, pairs, text};

#[derive(Default)]
struct Element {
    tag: String,
    attributes: Vec<(String, String)>,
    text: Option<String>,
    children: Vec<Element>,
}

pub(super) fn document(value: &Value) -> Result<String, Error> {
    let mut roots = Vec::new();
    build(&entries(value)?, &mut roots, 0)?;
    let Some(root) = roots.pop() else {
        return Err(fault("the value has no element to be the root"));
    };
    let mut out = "<?xml version=\"1.0\" ?>\n".to_owned();
    write(&root, 0, &mut out);
    Ok(out)
}

/// The tags of a dict, or of a list of pairs, with what they hold.
fn entries(value: &Value) -> Result<Vec<(Value, Value)>, Error> {
    match value.kind() {
        ValueKind::Map => Ok(pairs(value)),
        ValueKind::Seq | ValueKind::Iterable => Ok(Vec::new()),
        _ => Err(fault("Value is not a dict or list. Cannot render as XML")),
    }
}

fn build(all: &[(Value, Value)], into: &mut Vec<Element>, depth: usize) -> Result<(), Error> {
    if depth > 100 {
        return Err(fault("the value nests too deep"));
    }
    for (tag, held) in all {
        if ops::is_list(held) && !is_tuple(held) {
            for item in items(held) {
                build(&[(tag.clone(), item)], into, depth + 1)?;
            }
            continue;
        }
        let mut element = Element { tag: text(tag), ..Element::default() };
        match held.kind() {
            ValueKind::String | ValueKind::Bool | ValueKind::Number => {
                element.text = Some(text(held));
            }
            ValueKind::Map => {
                let nested = |item: &Value| {
                    item.kind() == ValueKind::Map || (ops::is_list(item) && !is_tuple(item))
                };
                let (inner, own): (Vec<_>, Vec<_>) =
                    pairs(held).into_iter().partition(|(_, item)| nested(item));
                let own = own.into_iter().map(|(key, item)| (text(&key), text(&item)));
                element.attributes = own.collect();
                build(&inner, &mut element.children, depth + 1)?;
            }
            _ => return Err(fault("Value is not a dict or list. Cannot render as XML")),
        }
        into.push(element);
    }
    Ok(())
}

fn write(element: &Element, depth: usize, out: &mut String) {
    let by = " ".repeat(depth);
    out.push_str(&format!("{by}<{}", element.tag));
    for (name, value) in &element.attributes {
        out.push_str(&format!(
            " {name}=\"{}\"",
            escaped(value).replace("&#39;", "'").replace("&#34;", "&quot;")
        ));
    }
    match (&element.text, element.children.is_empty()) {
        (Some(text), _) if !text.is_empty() => {
            let text = escaped(text).replace("&#39;", "'").replace("&#34;", "\"");
            out.push_str(&format!(">{text}</{}>\n", element.tag));
        }
        (_, true) => out.push_str("/>\n"),
        (_, false) => {
            out.push_str(">\n");
            for child in &element.children {
                write(child, depth + 1, out);
            }
            out.push_str(&format!("{by}</{}>\n", element.tag));
        }
    }
}
