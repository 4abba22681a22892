//! From a website that goes down to the message that says so: three regions on a real Redis and Postgres, websites that
//! are closed and opened, and a receiver that notes what it is told and when. In a network namespace of its own, where
//! addresses of the internet are this machine's.

mod doors;
mod receiver;
mod scene;
mod script;

pub use self::script::run;
