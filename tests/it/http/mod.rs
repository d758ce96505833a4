//! What clients can send.

mod inputs;
