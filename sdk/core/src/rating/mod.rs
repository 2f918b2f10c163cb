//! What people say of a model's continuations: a blinded sheet to rate, the ratings read back, and how
//! far raters agree with each other and with scorers.
//!
//! ```text
//! export(models, settings, DIR)      DIR/for-raters/sheet.html, sheet.csv   to hand out
//!                                    DIR/key.json                           to keep: which item is whose
//! Ratings::read(key, files)          what raters saved
//! ratings.result(judges, ..)         means by model, agreement, correlation with scorers
//! ```

mod alpha;
mod evidence;
mod export;
mod judge;
mod key;
mod question;
mod ratings;
mod result;
mod sample;
mod tables;
#[cfg(test)]
mod tests;

pub use alpha::{Level, krippendorff_alpha};
pub use export::export;
pub use judge::JudgeValues;
pub use key::{KeyItem, KeyModel, RatedModel, RatingKey};
pub use question::Question;
pub use ratings::Ratings;
pub use result::{JudgeResult, QuestionResult, RatingResult};
pub use sample::SheetSettings;

const COMPONENT: &str = "rating";
