//! The real program, driven through HTTP: what comes from where, and how it starts and stops. The same tests for both
//! dashboards.

#![expect(unreachable_pub, reason = "`pub` is for the other modules here")]
#![expect(clippy::unwrap_used, reason = "what goes wrong here fails the test")]

#[path = "../../dashboard/tests/smoke/mod.rs"]
mod smoke;
