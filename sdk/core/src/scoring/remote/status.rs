/// What an HTTP status means to somebody who wants an answer to one text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StatusClass {
    /// 2xx: there is an answer.
    Success,
    /// 429 and 5xx: the same request may succeed later.
    Passing,
    /// 401, 402, 403, 407, 410: no request of this caller will succeed.
    Denied,
    /// 3xx and 404, 405: this is not the address of the service.
    Elsewhere,
    /// Any other: this request will never succeed; another may.
    Refused,
}

impl StatusClass {
    /// The class of a status.
    #[must_use]
    pub const fn of(status: u16) -> Self {
        match status {
            200..=299 => Self::Success,
            429 | 500..=599 => Self::Passing,
            401 | 402 | 403 | 407 | 410 => Self::Denied,
            300..=399 | 404 | 405 => Self::Elsewhere,
            _ => Self::Refused,
        }
    }
}
