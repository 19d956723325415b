//! The `wtt-connect` program: hands the command line to the library and nothing else.

fn main() -> std::process::ExitCode {
    wtt_connect::cli::main()
}
