//! Zero-shot tasks: files of templates that ask a model what it finds probable.

mod built_in;
mod definition;
mod evaluator;
mod item;
mod outcomes;
mod records;
mod set;
mod settings;
mod task;
mod templates;

pub use evaluator::TaskEvaluator;
pub use item::TaskItem;
pub use set::{TaskItems, TaskSet};
pub use settings::TaskSettings;
pub use task::{Task, TaskMetric};
