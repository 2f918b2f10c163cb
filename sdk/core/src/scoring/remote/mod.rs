//! What every scorer behind a network does alike, whatever its protocol and its HTTP library: which
//! answers pass and which do not, how long to wait, how often to ask, and when to give up.
//!
//! # The rule
//! - Only what may pass is asked again: no connection, a connection that broke, an answer that cannot
//!   be read, HTTP 429 and 5xx ([`StatusClass`]). The pause is drawn by [`Backoff`](crate::layers::Backoff)
//!   and never shorter than the service's `Retry-After` ([`retry_after`]).
//! - One text is asked again, never its neighbours: nothing is scored twice.
//! - A text whose tries are used up is *given up*. It becomes [`Unscored::Failed`](crate::Unscored),
//!   which no cache and no record keeps, if the service answered other texts of the call: the text is
//!   what fails. Where it answered none, or gave up three texts in a row, the service is away, and
//!   the call ends in [`ErrorKind::Unavailable`](crate::ErrorKind): an outage is nobody's verdict.

#[cfg(feature = "http")]
pub mod http;

mod asker;
mod bucket;
mod received;
mod retry_after;
mod secret;
mod status;
#[cfg(test)]
mod tests;

pub use asker::{Asker, Attempt, Outcome, Patience};
pub use bucket::TokenBucket;
pub use received::{Received, describe_status, one_line};
pub use retry_after::retry_after;
pub use secret::{Redaction, Secret};
pub use status::StatusClass;
