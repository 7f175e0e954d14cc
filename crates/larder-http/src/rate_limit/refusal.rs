//! The response to a request that is refused.

use larder::limit::Limited;

use super::fields::{self, seconds, string};

/// Its parts, for any framework.
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
}

impl Refusal {
    pub(super) fn new(name: &str, limited: &Limited) -> Self {
        let wait = seconds(limited.retry_after());
        // Of the draft, section 5.
        let (status, problem, title) = match limited.is_unavailable() {
            false => {
                (429, "quota-exceeded", "Request cannot be satisfied as assigned quota has been exceeded")
            }
            true => (
                503,
                "temporary-reduced-capacity",
                "Request cannot be satisfied due to temporary server capacity constraints",
            ),
        };
        let name_of_policy = string(name);
        let body = format!(
            r#"{{"type":"https://iana.org/assignments/http-problem-types#{problem}","title":"{title}","status":{status},"violated-policies":[{name_of_policy}]}}"#
        );
        let mut headers = vec![
            ("content-type", "application/problem+json".to_owned()),
            ("cache-control", "no-store".to_owned()),
            ("retry-after", wait.to_string()),
        ];
        headers.extend(fields::of(name, &limited.decision()).into_iter().flatten());
        Self { status, headers, body }
    }
}
