//! Plugins of every kind, most of them ill-behaved, made of WAT: no tool is needed.

mod contracts;
mod damaged;
mod descriptors;
mod guest;
mod hostile;
mod imports;
mod invariance;
mod loading;
mod support;
mod versions;
