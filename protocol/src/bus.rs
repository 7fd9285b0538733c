//! The typed bus over async-nats: connect, publish, request, subscribe. The only I/O of this crate.
