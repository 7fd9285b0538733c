//! Starts it.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    match args.next() {
        // Before anything else: it makes namespaces, which belong to the thread that makes them.
        Some(first) if first == "sandbox" => muster_controller::sandbox::main(args),
        _ => ExitCode::SUCCESS,
    }
}
