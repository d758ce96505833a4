//! Loading lists in the background, through the whole service, over the simulated vendor.

mod command;
mod fixture;
mod lists;
mod nodes;
mod trouble;
