//! How many arguments the methods of Python's types take, and Python's words for a call that does
//! not fit.

use minijinja::Error;

use crate::render::jinja::args::Args;
use crate::render::python::fault;

/// In which of its forms Python checks the arguments of a method.
#[derive(Debug, Clone, Copy)]
enum Form {
    Nothing,
    One,
    /// From so many to so many, by place alone.
    Places(usize, usize),
    /// The same, in other words.
    Parsed(usize, usize),
    /// At most so many, by place or by these names.
    Named(usize, &'static [&'static str]),
}

const SEARCHED: Form = Form::Parsed(1, 3);
const PADDED: Form = Form::Places(1, 2);
const STRIPPED: Form = Form::Places(0, 1);
const SPLIT: Form = Form::Named(2, &["sep", "maxsplit"]);
const CODED: Form = Form::Named(2, &["encoding", "errors"]);

fn of_text(method: &str) -> Option<Form> {
    Some(match method {
        "format" => return None,
        "center" | "ljust" | "rjust" => PADDED,
        "count" | "find" | "rfind" | "index" | "rindex" | "startswith" | "endswith" => SEARCHED,
        "encode" | "decode" => CODED,
        "hex" => Form::Named(2, &["sep", "bytes_per_sep"]),
        "expandtabs" => Form::Named(1, &["tabsize"]),
        "splitlines" => Form::Named(1, &["keepends"]),
        "split" | "rsplit" => SPLIT,
        "strip" | "lstrip" | "rstrip" => STRIPPED,
        "maketrans" => Form::Places(1, 3),
        "replace" => Form::Places(2, 3),
        "format_map" | "join" | "partition" | "rpartition" | "removeprefix" | "removesuffix"
        | "translate" | "zfill" => Form::One,
        _ => Form::Nothing,
    })
}

fn of_list(method: &str) -> Form {
    match method {
        "append" | "count" | "extend" | "remove" => Form::One,
        "index" => Form::Places(1, 3),
        "insert" => Form::Places(2, 2),
        "pop" => Form::Places(0, 1),
        "sort" => Form::Named(2, &["key", "reverse"]),
        _ => Form::Nothing,
    }
}

fn of_dict(method: &str) -> Option<Form> {
    Some(match method {
        "fromkeys" | "get" | "pop" | "setdefault" => Form::Places(1, 2),
        "move_to_end" => Form::Named(2, &["key", "last"]),
        "update" => return None,
        _ => Form::Nothing,
    })
}

fn of_number(method: &str) -> Form {
    match method {
        "to_bytes" => Form::Named(3, &["length", "byteorder", "signed"]),
        _ => Form::Nothing,
    }
}

/// Refuses arguments that a method of a type does not take.
pub(super) fn check(kind: &str, method: &str, args: &Args) -> Result<(), Error> {
    let form = match kind {
        "str" | "Markup" | "bytes" => of_text(method),
        "list" | "tuple" => Some(of_list(method)),
        "dict" => of_dict(method),
        // Its other methods take names as well.
        "collections.OrderedDict" if ["get", "items", "keys", "values"].contains(&method) => {
            of_dict(method)
        }
        "int" | "bool" | "float" => Some(of_number(method)),
        _ => None,
    };
    let Some(form) = form else { return Ok(()) };
    // A truth has the methods of whole numbers.
    let kind = if kind == "bool" { "int" } else { kind.trim_start_matches("collections.") };
    named(form, kind, method, args)?;
    match (words(form, args.plain.len() + args.named.len()), form) {
        (None, _) => Ok(()),
        (Some(words), Form::Places(..)) => Err(fault(format!("{method} {words}"))),
        (Some(words), Form::Parsed(..) | Form::Named(..)) => {
            Err(fault(format!("{method}() {words}")))
        }
        (Some(words), Form::Nothing | Form::One) => {
            Err(fault(format!("{kind}.{method}() {words}")))
        }
    }
}

fn named(form: Form, kind: &str, method: &str, args: &Args) -> Result<(), Error> {
    if args.named.is_empty() {
        return Ok(());
    }
    match form {
        Form::Named(_, known) => {
            match args.named.iter().find(|(name, _)| !known.contains(&&**name)) {
                None => Ok(()),
                Some((name, _)) => {
                    Err(fault(format!("'{name}' is an invalid keyword argument for {method}()")))
                }
            }
        }
        Form::Parsed(..) => Err(fault(format!("{method}() takes no keyword arguments"))),
        Form::Nothing | Form::One | Form::Places(..) => {
            Err(fault(format!("{kind}.{method}() takes no keyword arguments")))
        }
    }
}

/// What is wrong with a number of arguments.
fn words(form: Form, given: usize) -> Option<String> {
    let s = |count: usize| if count == 1 { "argument" } else { "arguments" };
    let (least, most) = match form {
        Form::Nothing => (0, 0),
        Form::One => (1, 1),
        Form::Places(least, most) | Form::Parsed(least, most) => (least, most),
        Form::Named(most, _) => (0, most),
    };
    if (least..=most).contains(&given) {
        return None;
    }
    let (bound, limit) = if given < least { ("least", least) } else { ("most", most) };
    Some(match form {
        Form::Nothing => format!("takes no arguments ({given} given)"),
        Form::One => format!("takes exactly one argument ({given} given)"),
        Form::Places(least, most) if least == most => {
            format!("expected {most} {}, got {given}", s(most))
        }
        Form::Places(..) => format!("expected at {bound} {limit} {}, got {given}", s(limit)),
        Form::Parsed(..) | Form::Named(..) => {
            format!("takes at {bound} {limit} {} ({given} given)", s(limit))
        }
    })
}
