//! The forms of parameter expansion that change a value: `${v#pattern}` and its like, and those of bash.

use async_recursion::async_recursion;
use brush_parser::word::{ParameterExpr, SubstringMatchKind};

use super::parameter::{Value, single};
use super::pattern::Pattern;
use super::{Context, Pieces, bad_substitution};
use crate::interpreter::Shell;
use crate::interpreter::stop::Stop;

impl Shell {
    /// The forms that change a value.
    #[async_recursion(?Send)]
    pub(super) async fn changed(
        &mut self,
        expression: &ParameterExpr,
        context: Context,
        pieces: &mut Pieces,
    ) -> Result<(), Stop> {
        let (parameter, indirect) = match expression {
            ParameterExpr::RemoveSmallestSuffixPattern { parameter, indirect, .. }
            | ParameterExpr::RemoveLargestSuffixPattern { parameter, indirect, .. }
            | ParameterExpr::RemoveSmallestPrefixPattern { parameter, indirect, .. }
            | ParameterExpr::RemoveLargestPrefixPattern { parameter, indirect, .. }
            | ParameterExpr::ReplaceSubstring { parameter, indirect, .. }
            | ParameterExpr::Substring { parameter, indirect, .. }
            | ParameterExpr::UppercaseFirstChar { parameter, indirect, .. }
            | ParameterExpr::UppercasePattern { parameter, indirect, .. }
            | ParameterExpr::LowercaseFirstChar { parameter, indirect, .. }
            | ParameterExpr::LowercasePattern { parameter, indirect, .. } => (parameter, *indirect),
            _ => return Err(bad_substitution()),
        };
        let value = self.value(parameter, indirect)?;
        let value = self.checked(value, parameter)?;
        if let (ParameterExpr::Substring { offset, length, .. }, Value::List { values, is_joined }) =
            (expression, &value)
        {
            let all: Vec<Vec<u8>> = [self.name.clone()].into_iter().chain(values.iter().cloned()).collect();
            let (start, end) =
                self.range(&offset.value, length.as_ref().map(|length| &length.value[..]), all.len()).await?;
            let values = all.get(start..end).unwrap_or_default().to_vec();
            self.push_value(Value::List { values, is_joined: *is_joined }, context, pieces);
            return Ok(());
        }
        let changed = match value {
            Value::List { values, is_joined } => {
                let mut changed = Vec::new();
                for value in values {
                    changed.push(self.change(expression, value).await?);
                }
                Value::List { values: changed, is_joined }
            }
            value => Value::One(self.change(expression, single(value)).await?),
        };
        self.push_value(changed, context, pieces);
        Ok(())
    }

    async fn change(&mut self, expression: &ParameterExpr, value: Vec<u8>) -> Result<Vec<u8>, Stop> {
        match expression {
            ParameterExpr::RemoveSmallestSuffixPattern { pattern, .. }
            | ParameterExpr::RemoveLargestSuffixPattern { pattern, .. } => {
                let is_longest = matches!(expression, ParameterExpr::RemoveLargestSuffixPattern { .. });
                let pattern = self.pattern_of(pattern.as_deref()).await?;
                let end = pattern.suffix(&value, is_longest).unwrap_or(value.len());
                Ok(value.get(..end).unwrap_or_default().to_vec())
            }
            ParameterExpr::RemoveSmallestPrefixPattern { pattern, .. }
            | ParameterExpr::RemoveLargestPrefixPattern { pattern, .. } => {
                let is_longest = matches!(expression, ParameterExpr::RemoveLargestPrefixPattern { .. });
                let pattern = self.pattern_of(pattern.as_deref()).await?;
                let start = pattern.prefix(&value, is_longest).unwrap_or(0);
                Ok(value.get(start..).unwrap_or_default().to_vec())
            }
            ParameterExpr::ReplaceSubstring { pattern, replacement, match_kind, .. } => {
                let pattern = self.pattern_of(Some(pattern)).await?;
                let replacement = self.string(replacement.as_deref().unwrap_or_default()).await?;
                Ok(replace(&value, &pattern, &replacement, match_kind))
            }
            ParameterExpr::Substring { offset, length, .. } => {
                let length = length.as_ref().map(|length| &length.value[..]);
                let (start, end) = self.range(&offset.value, length, value.len()).await?;
                Ok(value.get(start..end).unwrap_or_default().to_vec())
            }
            ParameterExpr::UppercaseFirstChar { pattern, .. } if is_any(pattern.as_ref()) => {
                Ok(change_first(value, u8::to_ascii_uppercase))
            }
            ParameterExpr::LowercaseFirstChar { pattern, .. } if is_any(pattern.as_ref()) => {
                Ok(change_first(value, u8::to_ascii_lowercase))
            }
            ParameterExpr::UppercasePattern { pattern, .. } if is_any(pattern.as_ref()) => {
                Ok(value.to_ascii_uppercase())
            }
            ParameterExpr::LowercasePattern { pattern, .. } if is_any(pattern.as_ref()) => {
                Ok(value.to_ascii_lowercase())
            }
            _ => Err(bad_substitution()),
        }
    }

    async fn pattern_of(&mut self, text: Option<&str>) -> Result<Pattern, Stop> {
        let text = self.pattern(text.unwrap_or_default()).await?;
        Ok(Pattern::new(&text))
    }

    /// The range of `${v:offset:length}`; negative numbers count from the end.
    async fn range(&mut self, offset: &str, length: Option<&str>, count: usize) -> Result<(usize, usize), Stop> {
        let total = i64::try_from(count).unwrap_or(i64::MAX);
        let offset = self.arithmetic(offset).await?;
        let start = if offset < 0 { total.saturating_add(offset) } else { offset.min(total) };
        let end = match length {
            Some(length) => match self.arithmetic(length).await? {
                length @ ..0 => total.saturating_add(length),
                length => start.saturating_add(length).min(total),
            },
            None => total,
        };
        if start < 0 {
            return Ok((0, 0));
        }
        if end < start {
            return Err(bad_substitution());
        }
        let index = |number: i64| usize::try_from(number).unwrap_or_default();
        Ok((index(start), index(end)))
    }
}

/// Whether `${v^pattern}` has none, so that every character is meant.
fn is_any(pattern: Option<&String>) -> bool {
    pattern.is_none_or(String::is_empty)
}

fn change_first(mut value: Vec<u8>, change: impl Fn(&u8) -> u8) -> Vec<u8> {
    if let Some(first) = value.first_mut() {
        *first = change(first);
    }
    value
}

/// `${v/pattern/replacement}` and its like.
fn replace(value: &[u8], pattern: &Pattern, replacement: &[u8], kind: &SubstringMatchKind) -> Vec<u8> {
    match kind {
        SubstringMatchKind::Prefix => match pattern.prefix(value, true) {
            Some(length) => [replacement, value.get(length..).unwrap_or_default()].concat(),
            None => value.to_vec(),
        },
        SubstringMatchKind::Suffix => match pattern.suffix(value, true) {
            Some(start) => [value.get(..start).unwrap_or_default(), replacement].concat(),
            None => value.to_vec(),
        },
        SubstringMatchKind::FirstOccurrence | SubstringMatchKind::Anywhere => {
            let is_once = matches!(kind, SubstringMatchKind::FirstOccurrence);
            let mut replaced = Vec::new();
            let mut rest = value;
            let mut is_done = false;
            while let Some((first, after)) = rest.split_first() {
                if let Some(length) = pattern.prefix(rest, true).filter(|length| *length > 0 && !is_done) {
                    replaced.extend_from_slice(replacement);
                    rest = rest.get(length..).unwrap_or_default();
                    is_done = is_once;
                } else {
                    replaced.push(*first);
                    rest = after;
                }
            }
            replaced
        }
    }
}
