//! Moderation endpoints.

mod categories;
mod scorer;

pub use categories::Categories;
pub use scorer::{Moderation, ModerationOptions};
