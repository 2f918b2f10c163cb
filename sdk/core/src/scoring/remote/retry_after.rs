use std::time::{Duration, SystemTime};

/// How long the header `Retry-After` asks to wait from `now` on: a number of seconds, or a date in any
/// of HTTP's three forms (RFC 9110, 10.2.3). `None` where it is neither; a date that has passed is
/// no wait.
#[must_use]
pub fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More than fits is as good as never.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or(Duration::ZERO))
}
