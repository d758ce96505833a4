//! The vendor's callbacks as they are stored (`vendor_callbacks`), and how far its list of them was read (`vendor_callback_reading`).

mod handlers;
pub mod messages;
mod queries;
mod reading;
pub mod reading_messages;
