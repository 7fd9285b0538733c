//! Muster's daemon on the head node.
