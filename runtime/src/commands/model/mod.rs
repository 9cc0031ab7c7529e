//! `tadpole model`: models in files, and models in this device's store.
//!
//! | file | what |
//! |---|---|
//! | [`show`] | what a bundle promises and who signed it |
//! | [`store`] | list, install, activate, rollback |

mod show;
mod store;

use clap::Subcommand;
use runtime::Result;

/// What to do with models.
#[derive(Subcommand)]
pub enum ModelCommand {
    Show(show::ShowArgs),
    List(store::ListArgs),
    Install(store::InstallArgs),
    Activate(store::ActivateArgs),
    Rollback(store::RollbackArgs),
}

/// Do it.
pub fn run(command: &ModelCommand) -> Result<()> {
    match command {
        ModelCommand::Show(args) => show::run(args),
        ModelCommand::List(args) => store::list(args),
        ModelCommand::Install(args) => store::install(args),
        ModelCommand::Activate(args) => store::activate(args),
        ModelCommand::Rollback(args) => store::roll_back(args),
    }
}
