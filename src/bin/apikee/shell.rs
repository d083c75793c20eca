//! `apikee completions`: prints a completion script for a shell. `apikee man`: prints the manual pages.

use std::{
    fs,
    io::{self, Write as _},
    path::PathBuf,
};

use clap::CommandFactory as _;
use clap_complete::Shell;
use clap_mangen::Man;

use crate::{Cli, Ended, Outcome};

/// Print a completion script for a shell
///
/// For bash: source <(apikee completions bash). For zsh, write it to a file _apikee in a folder of fpath. For fish:
/// apikee completions fish > ~/.config/fish/completions/apikee.fish. For PowerShell: apikee completions powershell |
/// Out-String | Invoke-Expression.
#[derive(clap::Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL", value_enum)]
    shell: Shell,
}

pub(crate) fn completions(args: &CompletionsArgs) -> Ended {
    // `generate` panics if it cannot write. Writing to memory always works.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "apikee", &mut script);
    print(&script)
}

/// Print the manual page, or write the pages of all commands to a folder
#[derive(clap::Args)]
pub(crate) struct ManArgs {
    /// Write the pages to this folder; it is created if it does not exist
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

pub(crate) fn man(args: &ManArgs) -> Ended {
    if let Some(folder) = &args.folder {
        let pages = fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(Cli::command(), folder));
        pages.map_err(|error| format!("the manual pages cannot be written to {folder:?}: {error}"))?;
        return Ok(Outcome::Good);
    }
    let mut page = Vec::new();
    Man::new(Cli::command().disable_help_subcommand(true)).render(&mut page)?;
    print(&page)
}

fn print(text: &[u8]) -> Ended {
    let mut out = io::stdout().lock();
    out.write_all(text)?;
    out.flush()?;
    Ok(Outcome::Good)
}
