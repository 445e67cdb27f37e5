//! The binary `booking-api`.

use std::process::ExitCode;

fn main() -> ExitCode {
    booking_api::cli::main()
}
