//! Salt's state trees in Rust: SLS in, outcomes out.
