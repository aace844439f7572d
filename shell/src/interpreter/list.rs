//! Lists: commands one after the other, `&&`, `||`, `&`, `!`, and what `set -e` means among them.

use brush_parser::ast::{self, SourceLocation as _};

use super::Shell;
use super::stop::{Executed, Stop};

impl Shell {
    /// Executes a list. Boxed, as lists are in lists.
    pub(super) fn list<'a>(
        &'a mut self,
        list: &'a ast::CompoundList,
    ) -> std::pin::Pin<Box<dyn Future<Output = Executed> + 'a>> {
        Box::pin(async move {
            if self.depth >= self.max_depth {
                return Err(Stop::fatal("Maximum function recursion depth reached"));
            }
            self.depth += 1;
            let executed = self.items(&list.0).await;
            self.depth -= 1;
            executed
        })
    }

    async fn items(&mut self, items: &[ast::CompoundListItem]) -> Executed {
        for ast::CompoundListItem(list, separator) in items {
            match separator {
                ast::SeparatorOperator::Async => self.background(list).await?,
                ast::SeparatorOperator::Sequence => {
                    self.and_or(list).await?;
                }
            }
        }
        Ok(self.status)
    }

    /// `a && b || c`
    pub(super) async fn and_or(&mut self, list: &ast::AndOrList) -> Executed {
        let count = list.additional.len();
        self.pipeline_tested(&list.first, count > 0).await?;
        for (index, next) in list.additional.iter().enumerate() {
            let (pipeline, is_wanted) = match next {
                ast::AndOr::And(pipeline) => (pipeline, self.status == 0),
                ast::AndOr::Or(pipeline) => (pipeline, self.status != 0),
            };
            if is_wanted {
                self.pipeline_tested(pipeline, index + 1 < count).await?;
            }
        }
        Ok(self.status)
    }

    async fn pipeline_tested(&mut self, pipeline: &ast::Pipeline, is_tested: bool) -> Executed {
        let was_tested = self.is_tested;
        self.is_tested |= is_tested || pipeline.bang;
        let executed = self.pipeline(pipeline).await;
        self.is_tested = was_tested;
        let status = executed?;
        self.status = if pipeline.bang { i32::from(status == 0) } else { status };
        Ok(self.status)
    }

    /// Executes a list whose status somebody looks at.
    pub(super) async fn condition(&mut self, list: &ast::CompoundList) -> Executed {
        let was_tested = std::mem::replace(&mut self.is_tested, true);
        let executed = self.list(list).await;
        self.is_tested = was_tested;
        executed
    }

    /// A command of a pipeline, in this process.
    pub(super) async fn command(&mut self, command: &ast::Command) -> Executed {
        if let Some(line) = line_of(command) {
            self.line = line + self.line_base;
        }
        self.between_commands().await?;
        let executed = match command {
            ast::Command::Simple(simple) => self.simple(simple).await,
            ast::Command::Compound(compound, redirects) => {
                let redirects = redirects.as_ref().map_or(&[][..], |list| &list.0);
                self.redirected_compound(compound, redirects).await
            }
            ast::Command::Function(function) => self.define(function),
            ast::Command::ExtendedTest(test, redirects) => {
                let redirects = redirects.as_ref().map_or(&[][..], |list| &list.0);
                self.redirected_test(&test.expr, redirects).await
            }
        };
        let status = match executed {
            Err(Stop::Fatal(message)) => {
                self.complain(&message).await;
                self.status = 2;
                return Err(Stop::Error(2));
            }
            executed => executed?,
        };
        self.status = status;
        if is_checked(command) { self.check_errexit(status) } else { Ok(status) }
    }

    /// Exits under `set -e`, unless somebody looks at the status.
    pub(super) fn check_errexit(&mut self, status: i32) -> Executed {
        if status != 0 && self.options.has(b'e') && !self.is_tested { Err(Stop::Exit(status)) } else { Ok(status) }
    }

    /// What is done before every command: others work, signals are taken.
    pub(super) async fn between_commands(&mut self) -> Result<(), Stop> {
        self.machine.yield_now().await;
        self.jobs_notice();
        self.take_signals().await?;
        if self.process.is_running() { Ok(()) } else { Err(Stop::Exit(self.status_of_death())) }
    }
}

/// Whether `set -e` looks at the status of the command itself, not only at that of the commands in it.
fn is_checked(command: &ast::Command) -> bool {
    match command {
        ast::Command::Simple(_) | ast::Command::ExtendedTest(..) => true,
        ast::Command::Compound(compound, _) => {
            matches!(compound, ast::CompoundCommand::Subshell(_) | ast::CompoundCommand::Arithmetic(_))
        }
        ast::Command::Function(_) => false,
    }
}

/// The line on which a command begins, in its own text.
fn line_of(command: &ast::Command) -> Option<usize> {
    let location = match command {
        ast::Command::Simple(simple) => {
            let prefix = simple
                .prefix
                .as_ref()
                .and_then(|prefix| prefix.0.first())
                .and_then(brush_parser::ast::SourceLocation::location);
            prefix.or_else(|| simple.word_or_name.as_ref()?.location())
        }
        ast::Command::Compound(compound, _) => compound.location(),
        ast::Command::ExtendedTest(test, _) => Some(test.loc.clone()),
        ast::Command::Function(_) => None,
    };
    location.map(|location| location.start.line)
}
