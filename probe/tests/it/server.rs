//! The scripted server, under the name its oldest users know.

pub(crate) use testbed::server::{Server, head, hold};
