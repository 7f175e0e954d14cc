//! The command as people and scripts use it: the real binary, against real servers.

mod failures;
mod fleet;
mod looking;
mod measuring;
mod mending;
mod reaching;
mod samples;
mod sealing;
mod telling;
mod warming;
mod world;
