//! Data as Salt prints them in its messages: Python's, with maps as `OrderedDict`.

use crate::render::python;
use crate::yaml::{Data, Node};

/// As `str()` of the data that Salt's YAML loader makes.
pub(crate) fn shown(node: &Node) -> String {
    match &node.data {
        Data::Str(text) => text.clone(),
        Data::Null
        | Data::Bool(_)
        | Data::Int(_)
        | Data::Float(_)
        | Data::Seq(_)
        | Data::Map(_) => repr(node),
    }
}

/// As `repr()` of the data that Salt's YAML loader makes.
pub(crate) fn repr(node: &Node) -> String {
    match &node.data {
        Data::Seq(items) => {
            let items: Vec<String> = items.iter().map(repr).collect();
            format!("[{}]", items.join(", "))
        }
        Data::Map(pairs) if pairs.is_empty() => "OrderedDict()".to_owned(),
        Data::Map(pairs) => {
            let pair = |(key, value): &(Node, Node)| format!("({}, {})", repr(key), repr(value));
            let pairs: Vec<String> = pairs.iter().map(pair).collect();
            format!("OrderedDict([{}])", pairs.join(", "))
        }
        Data::Null | Data::Bool(_) | Data::Int(_) | Data::Float(_) | Data::Str(_) => {
            python::repr(&python::from_yaml(node))
        }
    }
}
