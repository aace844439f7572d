//! `[[ ]]`, a command of bash.

use brush_parser::ast::{self, BinaryPredicate, ExtendedTestExpr, UnaryPredicate};

use super::Shell;
use super::expand::pattern::Pattern;
use super::stop::{Executed, Stop};
use crate::programs::test;

type Tested<'a> = std::pin::Pin<Box<dyn Future<Output = Result<bool, Stop>> + 'a>>;

impl Shell {
    pub(super) async fn redirected_test(&mut self, test: &ExtendedTestExpr, redirects: &[ast::IoRedirect]) -> Executed {
        let saved = self.redirect(redirects).await?;
        let tested = self.extended_test(test).await;
        self.restore(saved);
        Ok(i32::from(!tested?))
    }

    fn extended_test<'a>(&'a mut self, test: &'a ExtendedTestExpr) -> Tested<'a> {
        Box::pin(async move {
            match test {
                ExtendedTestExpr::And(left, right) => {
                    Ok(self.extended_test(left).await? && self.extended_test(right).await?)
                }
                ExtendedTestExpr::Or(left, right) => {
                    Ok(self.extended_test(left).await? || self.extended_test(right).await?)
                }
                ExtendedTestExpr::Not(inner) => Ok(!self.extended_test(inner).await?),
                ExtendedTestExpr::Parenthesized(inner) => self.extended_test(inner).await,
                ExtendedTestExpr::UnaryTest(predicate, word) => self.unary(predicate, &word.value).await,
                ExtendedTestExpr::BinaryTest(predicate, left, right) => {
                    self.binary(predicate, &left.value, &right.value).await
                }
            }
        })
    }

    async fn unary(&mut self, predicate: &UnaryPredicate, word: &str) -> Result<bool, Stop> {
        let word = self.string(word).await?;
        match predicate {
            UnaryPredicate::StringHasZeroLength => Ok(word.is_empty()),
            UnaryPredicate::StringHasNonZeroLength => Ok(!word.is_empty()),
            UnaryPredicate::ShellVariableIsSetAndAssigned => Ok(self.variables.get(&word).is_some()),
            UnaryPredicate::ShellOptionEnabled => {
                let mut options = self.options.clone();
                options.set_named(&word, true);
                Ok(options == self.options)
            }
            predicate => {
                let operator = predicate.to_string();
                let problem = |problem: test::Problem| Stop::Fatal(problem.of_shell());
                test::evaluate(&self.process, &[operator.into_bytes(), word]).map_err(problem)
            }
        }
    }

    async fn binary(&mut self, predicate: &BinaryPredicate, left: &str, right: &str) -> Result<bool, Stop> {
        let value = self.string(left).await?;
        match predicate {
            BinaryPredicate::StringExactlyMatchesPattern => {
                Ok(Pattern::new(&self.pattern(right).await?).is_match(&value))
            }
            BinaryPredicate::StringDoesNotExactlyMatchPattern => {
                Ok(!Pattern::new(&self.pattern(right).await?).is_match(&value))
            }
            BinaryPredicate::StringExactlyMatchesString => Ok(value == self.string(right).await?),
            BinaryPredicate::StringDoesNotExactlyMatchString => Ok(value != self.string(right).await?),
            BinaryPredicate::StringMatchesRegex | BinaryPredicate::StringContainsSubstring => {
                let text = self.pattern(right).await?;
                match regex::bytes::Regex::new(&text.to_regex()) {
                    Ok(regex) => Ok(regex.is_match(&value)),
                    Err(_) => Err(Stop::fatal("[[: invalid regular expression")),
                }
            }
            BinaryPredicate::LeftSortsBeforeRight => Ok(value < self.string(right).await?),
            BinaryPredicate::LeftSortsAfterRight => Ok(value > self.string(right).await?),
            BinaryPredicate::ArithmeticEqualTo => self.compare(left, right, |left, right| left == right).await,
            BinaryPredicate::ArithmeticNotEqualTo => self.compare(left, right, |left, right| left != right).await,
            BinaryPredicate::ArithmeticLessThan => self.compare(left, right, |left, right| left < right).await,
            BinaryPredicate::ArithmeticLessThanOrEqualTo => {
                self.compare(left, right, |left, right| left <= right).await
            }
            BinaryPredicate::ArithmeticGreaterThan => self.compare(left, right, |left, right| left > right).await,
            BinaryPredicate::ArithmeticGreaterThanOrEqualTo => {
                self.compare(left, right, |left, right| left >= right).await
            }
            BinaryPredicate::FilesReferToSameDeviceAndInodeNumbers
            | BinaryPredicate::LeftFileIsNewerOrExistsWhenRightDoesNot
            | BinaryPredicate::LeftFileIsOlderOrDoesNotExistWhenRightDoes => {
                let right = self.string(right).await?;
                let problem = |problem: test::Problem| Stop::Fatal(problem.of_shell());
                test::evaluate(&self.process, &[value, predicate.to_string().into_bytes(), right]).map_err(problem)
            }
        }
    }

    async fn compare(&mut self, left: &str, right: &str, holds: fn(i64, i64) -> bool) -> Result<bool, Stop> {
        let (left, right) = (self.string(left).await?, self.string(right).await?);
        let left = self.arithmetic(&super::source::encode(&left)).await?;
        let right = self.arithmetic(&super::source::encode(&right)).await?;
        Ok(holds(left, right))
    }
}
