//! The `causeway` binary: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    causeway::cli::main()
}
