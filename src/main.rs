//! juscache's command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    juscache::cli::run()
}
