//! A client and a responder to measure the resolver with; `scripts/bench dns` puts them to use.
//! Comes in: a command with its options. Goes out: one line of JSON about what was done, and at what cost.
//! Without a command it measures nothing, so that `cargo bench` passes it by.

mod client;
mod respond;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

/// Measures the resolver; `scripts/bench dns` is what calls it.
#[derive(Debug, Parser)]
#[command(name = "dns")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Look up many names of `zone.test`, and print the rate and the cost
    Client(client::Options),
    /// Answer every question over UDP, late and with losses, until standard input ends
    Respond(respond::Options),
}

fn main() -> ExitCode {
    // cargo's own `--bench` and filters are no command.
    let meant = std::env::args().nth(1).is_some_and(|word| word == "client" || word == "respond");
    if !meant {
        return said(&Cli::command().render_help().to_string());
    }
    match Cli::parse().command {
        Command::Client(options) => said(&client::run(&options)),
        Command::Respond(options) => match respond::run(&options) {
            Ok(counts) => said(&counts),
            Err(error) => panic!("the responder cannot go on: {error}"),
        },
    }
}

#[expect(clippy::print_stdout, reason = "this is a program")]
fn said(line: &str) -> ExitCode {
    println!("{}", line.trim_end());
    ExitCode::SUCCESS
}
