//! `mailtrail runs`

use super::Global;
use super::exit::Exit;
use super::output::{Cell, Format, OutputArgs, Sheet, note};
use super::question::Question;
use crate::outcome::{self, Run, columns};

/// List the runs, the newest first; or tell of one
///
/// asked: whom SendGrid was asked to mail, each once. completeness: accepted recipients with any event ÷ accepted ones.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Tell of this run alone
    #[arg(value_name = "RUN")]
    run: Option<String>,
    /// Most runs
    #[arg(long, default_value_t = 20)]
    limit: usize,
    #[command(flatten)]
    output: OutputArgs,
}

#[expect(clippy::needless_pass_by_value, reason = "every command is called alike")]
pub(super) fn run(args: Args, global: &Global) -> anyhow::Result<Exit> {
    let question = Question::of_trail(global)?;
    if let Some(name) = &args.run {
        detail(&outcome::run(&question.paths, name)?, args.output)?;
        question.tell_backlog();
        return Ok(Exit::Done);
    }
    let (runs, there) = outcome::runs(&question.paths, args.limit)?;
    let mut sheet = Sheet::begin(std::io::stdout().lock(), args.output, &columns::RUN)?;
    for run in &runs {
        sheet.row(columns::of_run(run))?;
    }
    drop(sheet.end()?);
    question.tell(runs.len(), "run", None);
    if there > runs.len() {
        note(&format!("only {} of {there} are shown: --limit shows more", runs.len()));
    }
    Ok(Exit::Done)
}

/// One line a figure for people; one object for programs.
fn detail(run: &Run, output: OutputArgs) -> anyhow::Result<()> {
    let for_people = output.format == Format::Table;
    let figures = columns::figures(run, for_people);
    let out = std::io::stdout().lock();
    if for_people {
        let mut sheet = Sheet::begin(out, output, &["figure", "value"])?;
        for (name, cell) in figures {
            sheet.row(vec![Cell::Text(name.to_owned()), cell])?;
        }
        drop(sheet.end()?);
    } else {
        let (names, cells): (Vec<&str>, Vec<Cell>) = figures.into_iter().unzip();
        let mut sheet = Sheet::begin(out, output, &names)?;
        sheet.row(cells)?;
        drop(sheet.end()?);
    }
    Ok(())
}
