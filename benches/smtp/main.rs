//! A farm of mail servers and the simplest client, to measure sessions with; `scripts/bench smtp` puts them to use.
//! Comes in: a command with its options. Goes out: addresses, or one line of JSON about what was done.
//! Without a command it measures nothing, so that `cargo bench` passes it by.

mod farm;
mod limit;
mod list;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

/// Measures SMTP sessions; `scripts/bench smtp` is what calls it.
#[derive(Debug, Parser)]
#[command(name = "smtp")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve every address of 127/8 on one port, until standard input ends
    Farm(farm::Options),
    /// Hold sessions with the fewest steps there are, and print the rate
    Limit(limit::Options),
    /// Print the addresses of the farm's servers, one a line
    List(list::World),
}

fn main() -> ExitCode {
    // cargo's own `--bench` and filters are no command.
    let meant = std::env::args().nth(1).is_some_and(|word| matches!(&*word, "farm" | "limit" | "list"));
    if !meant {
        return said(&Cli::command().render_help().to_string());
    }
    match Cli::parse().command {
        Command::Farm(options) => match farm::run(&options) {
            Ok(counts) => said(&counts),
            Err(error) => panic!("the farm cannot go on: {error}"),
        },
        Command::Limit(options) => match limit::run(&options) {
            Ok(figures) => said(&figures),
            Err(error) => panic!("the client cannot go on: {error}"),
        },
        Command::List(world) => {
            let lines: Vec<String> = world.servers().map(|(address, _)| address.to_string()).collect();
            said(&lines.join("\n"))
        }
    }
}

#[expect(clippy::print_stdout, reason = "this is a program")]
fn said(text: &str) -> ExitCode {
    println!("{}", text.trim_end());
    ExitCode::SUCCESS
}
