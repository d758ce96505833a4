//! juscache's command line.

fn main() {}
