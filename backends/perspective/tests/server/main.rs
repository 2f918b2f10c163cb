//! The server as its clients see it: real HTTP on loopback.

mod limits;
mod load;
mod programs;
mod refusals;
mod scorer;
mod support;
