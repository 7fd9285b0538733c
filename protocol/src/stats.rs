//! The figures of a host on their way: schemas, and frames of columns.
