//! Compound commands: loops, conditions, groups, subshells.

use async_recursion::async_recursion;
use brush_parser::ast;

use super::Shell;
use super::expand::pattern::Pattern;
use super::stop::{Executed, Stop};
use super::subshell::Task;

impl Shell {
    /// A compound command with its redirections, which last as long as it does.
    #[async_recursion(?Send)]
    pub(super) async fn redirected_compound(
        &mut self,
        command: &ast::CompoundCommand,
        redirects: &[ast::IoRedirect],
    ) -> Executed {
        if let ast::CompoundCommand::Subshell(subshell) = command {
            if std::mem::take(&mut self.is_last) && self.traps.iter().next().is_none() {
                // This shell is a child that does nothing else.
                let _ = self.redirect(redirects).await?;
                self.is_last = true;
                return Err(Stop::Exit(self.list(&subshell.list).await?));
            }
            let (pid, child) = self.fork()?;
            child.start(Task::Subshell(Box::new(subshell.list.clone()), redirects.to_vec()));
            return Ok(self.wait_for_foreground(pid).await);
        }
        let saved = match self.redirect(redirects).await {
            Ok(saved) => saved,
            Err(Stop::Fatal(message)) => {
                self.complain(&message).await;
                return Ok(2);
            }
            Err(stop) => return Err(stop),
        };
        let executed = self.compound(command).await;
        // Messages go where the command's output goes.
        let executed = match executed {
            Err(Stop::Fatal(message)) => {
                self.complain(&message).await;
                Err(Stop::Error(2))
            }
            executed => executed,
        };
        self.restore(saved);
        executed
    }

    #[async_recursion(?Send)]
    async fn compound(&mut self, command: &ast::CompoundCommand) -> Executed {
        match command {
            ast::CompoundCommand::BraceGroup(group) => self.list(&group.list).await,
            ast::CompoundCommand::IfClause(clause) => self.if_clause(clause).await,
            ast::CompoundCommand::WhileClause(clause) => self.while_clause(clause, true).await,
            ast::CompoundCommand::UntilClause(clause) => self.while_clause(clause, false).await,
            ast::CompoundCommand::ForClause(clause) => self.for_clause(clause).await,
            ast::CompoundCommand::CaseClause(clause) => self.case_clause(clause).await,
            ast::CompoundCommand::Arithmetic(command) => {
                Ok(i32::from(self.arithmetic(&command.expr.value).await? == 0))
            }
            ast::CompoundCommand::ArithmeticForClause(clause) => self.arithmetic_for_clause(clause).await,
            ast::CompoundCommand::Subshell(_) => Ok(0),
            ast::CompoundCommand::Coprocess(_) => Err(Stop::fatal("coproc: coprocesses are not simulated")),
        }
    }

    #[async_recursion(?Send)]
    async fn if_clause(&mut self, clause: &ast::IfClauseCommand) -> Executed {
        if self.condition(&clause.condition).await? == 0 {
            return self.list(&clause.then).await;
        }
        for branch in clause.elses.iter().flatten() {
            let is_taken = match &branch.condition {
                Some(condition) => self.condition(condition).await? == 0,
                None => true,
            };
            if is_taken {
                return self.list(&branch.body).await;
            }
        }
        Ok(0)
    }

    #[async_recursion(?Send)]
    async fn while_clause(&mut self, clause: &ast::WhileOrUntilClauseCommand, wanted: bool) -> Executed {
        let ast::WhileOrUntilClauseCommand(condition, body, _) = clause;
        let mut status = 0;
        self.loops += 1;
        let ended = loop {
            match self.condition(condition).await.map(|status| (status == 0) == wanted) {
                Ok(true) => {}
                Ok(false) => break Ok(status),
                Err(stop) => match next(Err(stop)) {
                    Next::Goes(_) => continue,
                    Next::Ends(ended) => break ended,
                },
            }
            match next(self.list(&body.list).await) {
                Next::Goes(last) => status = last,
                Next::Ends(ended) => break ended,
            }
        };
        self.loops -= 1;
        ended
    }

    #[async_recursion(?Send)]
    async fn for_clause(&mut self, clause: &ast::ForClauseCommand) -> Executed {
        let values = match &clause.values {
            Some(words) => {
                let mut values = Vec::new();
                for word in words {
                    values.extend(self.fields(&word.value).await?);
                }
                values
            }
            None => self.parameters.clone(),
        };
        let mut status = 0;
        self.loops += 1;
        let mut ended = Ok(0);
        for value in values {
            ended = self.set(clause.variable_name.as_bytes(), value).map(|()| 0);
            if ended.is_err() {
                break;
            }
            match next(self.list(&clause.body.list).await) {
                Next::Goes(last) => status = last,
                Next::Ends(last) => {
                    self.loops -= 1;
                    return last;
                }
            }
        }
        self.loops -= 1;
        ended.map(|_| status)
    }

    #[async_recursion(?Send)]
    async fn arithmetic_for_clause(&mut self, clause: &ast::ArithmeticForClauseCommand) -> Executed {
        if let Some(first) = &clause.initializer {
            self.arithmetic(&first.value).await?;
        }
        let mut status = 0;
        self.loops += 1;
        let ended = loop {
            self.machine.yield_now().await;
            let condition = match &clause.condition {
                Some(condition) if !condition.value.trim().is_empty() => self.arithmetic(&condition.value).await,
                _ => Ok(1),
            };
            match condition {
                Ok(0) => break Ok(status),
                Ok(_) => {}
                Err(stop) => break Err(stop),
            }
            match next(self.list(&clause.body.list).await) {
                Next::Goes(last) => status = last,
                Next::Ends(ended) => break ended,
            }
            if let Some(updater) = &clause.updater
                && let Err(stop) = self.arithmetic(&updater.value).await
            {
                break Err(stop);
            }
        };
        self.loops -= 1;
        ended
    }

    #[async_recursion(?Send)]
    async fn case_clause(&mut self, clause: &ast::CaseClauseCommand) -> Executed {
        let value = self.string(&clause.value.value).await?;
        let mut status = 0;
        let mut goes_on = false;
        for case in &clause.cases {
            let mut is_match = goes_on;
            for word in &case.patterns {
                is_match = is_match || Pattern::new(&self.pattern(&word.value).await?).is_match(&value);
                if is_match {
                    break;
                }
            }
            if !is_match {
                continue;
            }
            status = match &case.cmd {
                Some(list) => self.list(list).await?,
                None => 0,
            };
            match case.post_action {
                ast::CaseItemPostAction::ExitCase => return Ok(status),
                ast::CaseItemPostAction::UnconditionallyExecuteNextCaseItem => goes_on = true,
                ast::CaseItemPostAction::ContinueEvaluatingCases => goes_on = false,
            }
        }
        Ok(status)
    }
}

/// What a loop does after its body.
enum Next {
    /// It goes on; the status of the body.
    Goes(i32),
    Ends(Executed),
}

fn next(executed: Executed) -> Next {
    match executed {
        Ok(status) => Next::Goes(status),
        Err(Stop::Continue(0 | 1)) => Next::Goes(0),
        Err(Stop::Continue(loops)) => Next::Ends(Err(Stop::Continue(loops - 1))),
        Err(Stop::Break(0 | 1)) => Next::Ends(Ok(0)),
        Err(Stop::Break(loops)) => Next::Ends(Err(Stop::Break(loops - 1))),
        Err(stop) => Next::Ends(Err(stop)),
    }
}
