//! What `build.rs` made of the files in `data/`: `NODES` and `LOOK_ALIKES`.

use crate::node::Node;

include!(concat!(env!("OUT_DIR"), "/tables.rs"));
