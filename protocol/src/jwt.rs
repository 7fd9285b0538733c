//! NATS JWTs (version 2): the operator, accounts with scoped signing keys, users.
