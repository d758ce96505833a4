//! What becomes of money and of readers, over the whole service, whatever the vendors do.

mod books;
mod credit;
mod datajud;
mod fixture;
mod key;
mod limits;
mod modes;
mod pump;
mod stand_in;
mod table;
mod unchanged;
