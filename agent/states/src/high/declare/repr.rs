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
    python::repr(&python::from_sls_yaml(node))
}
