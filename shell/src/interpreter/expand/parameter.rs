//! Parameter expansion.

use brush_parser::word::{
    Parameter, ParameterExpr, ParameterTestType, SpecialParameter, SubstringMatchKind, WordPiece, WordPieceWithSource,
};

use super::pattern::Pattern;
use super::{Context, Piece, Pieces, bad_substitution, expanded};
use crate::interpreter::Shell;
use crate::interpreter::source::decode;
use crate::interpreter::stop::Stop;

/// What a parameter is at the moment.
enum Value {
    Unset,
    One(Vec<u8>),
    /// `$@`, or `$*`.
    List {
        values: Vec<Vec<u8>>,
        is_joined: bool,
    },
}

/// Whether a piece can be no field at all in quotes: `"$@"`.
pub(super) fn is_list(piece: &WordPiece) -> bool {
    let is_at = |parameter: &Parameter| {
        matches!(parameter, Parameter::Special(SpecialParameter::AllPositionalParameters { concatenate: false }))
    };
    match piece {
        WordPiece::ParameterExpansion(
            ParameterExpr::Parameter { parameter, .. }
            | ParameterExpr::UseDefaultValues { parameter, .. }
            | ParameterExpr::Substring { parameter, .. },
        ) => is_at(parameter),
        WordPiece::ParameterExpansion(ParameterExpr::UseAlternativeValue { parameter, alternative_value, .. }) => {
            is_at(parameter) || alternative_value.as_ref().is_some_and(|word| word.contains("$@"))
        }
        _ => false,
    }
}

impl Shell {
    pub(super) async fn parameter(
        &mut self,
        expression: &ParameterExpr,
        context: Context,
        pieces: &mut Pieces,
    ) -> Result<(), Stop> {
        match expression {
            ParameterExpr::Parameter { parameter, indirect } => {
                let value = self.value(parameter, *indirect)?;
                let value = self.checked(value, parameter)?;
                self.push_value(value, context, pieces);
            }
            ParameterExpr::UseDefaultValues { parameter, indirect, test_type, default_value } => {
                let value = self.value(parameter, *indirect)?;
                if lacks(&value, test_type) {
                    return self.push_word(default_value.as_deref(), context, pieces).await;
                }
                self.push_value(value, context, pieces);
            }
            ParameterExpr::UseAlternativeValue { parameter, indirect, test_type, alternative_value } => {
                let value = self.value(parameter, *indirect)?;
                if !lacks(&value, test_type) {
                    return self.push_word(alternative_value.as_deref(), context, pieces).await;
                }
            }
            ParameterExpr::AssignDefaultValues { parameter, indirect, test_type, default_value } => {
                let value = self.value(parameter, *indirect)?;
                if !lacks(&value, test_type) {
                    self.push_value(value, context, pieces);
                    return Ok(());
                }
                let Parameter::Named(name) = parameter else { return Err(bad_substitution()) };
                let mut word = Pieces::new();
                let inner = Context { is_split: false, ..context };
                self.push_word(default_value.as_deref(), inner, &mut word).await?;
                let value = super::join(word).into_bytes();
                self.set(name.as_bytes(), value.clone())?;
                pieces.push(expanded(value, context));
            }
            ParameterExpr::IndicateErrorIfNullOrUnset { parameter, indirect, test_type, error_message } => {
                let value = self.value(parameter, *indirect)?;
                if lacks(&value, test_type) {
                    return Err(self.missing(parameter, test_type, error_message.as_deref()).await?);
                }
                self.push_value(value, context, pieces);
            }
            ParameterExpr::ParameterLength { parameter, indirect } => {
                let value = self.value(parameter, *indirect)?;
                let length = match self.checked(value, parameter)? {
                    Value::List { values, .. } => values.join(&b' ').len(),
                    value => single(value).len(),
                };
                pieces.push(expanded(length.to_string().into_bytes(), context));
            }
            other => return self.changed(other, context, pieces).await,
        }
        Ok(())
    }

    /// The forms that change a value.
    async fn changed(&mut self, expression: &ParameterExpr, context: Context, pieces: &mut Pieces) -> Result<(), Stop> {
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
            ParameterExpr::UppercaseFirstChar { pattern: None, .. } => Ok(change_first(value, u8::to_ascii_uppercase)),
            ParameterExpr::LowercaseFirstChar { pattern: None, .. } => Ok(change_first(value, u8::to_ascii_lowercase)),
            ParameterExpr::UppercasePattern { pattern: None, .. } => Ok(value.to_ascii_uppercase()),
            ParameterExpr::LowercasePattern { pattern: None, .. } => Ok(value.to_ascii_lowercase()),
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

    /// What a parameter is.
    fn value(&self, parameter: &Parameter, is_indirect: bool) -> Result<Value, Stop> {
        let value = match parameter {
            Parameter::Positional(number) => {
                let index = usize::try_from(*number).unwrap_or(usize::MAX).wrapping_sub(1);
                self.parameters.get(index).cloned().map_or(Value::Unset, Value::One)
            }
            Parameter::Special(special) => self.special(special),
            Parameter::Named(name) => self.named(name),
            Parameter::NamedWithIndex { .. } | Parameter::NamedWithAllIndices { .. } => {
                return Err(Stop::fatal("arrays are not simulated"));
            }
        };
        if !is_indirect {
            return Ok(value);
        }
        match value {
            Value::One(name) => Ok(self.named(&String::from_utf8_lossy(&name))),
            _ => Err(bad_substitution()),
        }
    }

    fn named(&self, name: &str) -> Value {
        match name {
            "LINENO" => Value::One(self.line.to_string().into_bytes()),
            name => self.get(name).map_or(Value::Unset, |value| Value::One(value.to_vec())),
        }
    }

    fn special(&self, special: &SpecialParameter) -> Value {
        let text = match special {
            SpecialParameter::AllPositionalParameters { concatenate } => {
                return Value::List { values: self.parameters.clone(), is_joined: *concatenate };
            }
            SpecialParameter::PositionalParameterCount => self.parameters.len().to_string(),
            SpecialParameter::LastExitStatus => self.status.to_string(),
            SpecialParameter::CurrentOptionFlags => return Value::One(self.options.letters()),
            SpecialParameter::ProcessId => self.pid.0.to_string(),
            SpecialParameter::LastBackgroundProcessId => match self.jobs.last() {
                Some(pid) => pid.0.to_string(),
                None => return Value::Unset,
            },
            SpecialParameter::ShellName => return Value::One(self.name.clone()),
        };
        Value::One(text.into_bytes())
    }

    /// Refuses what is not set, if `set -u` says so.
    fn checked(&self, value: Value, parameter: &Parameter) -> Result<Value, Stop> {
        if matches!(value, Value::Unset) && self.options.has(b'u') {
            return Err(Stop::fatal([&name_of(parameter)[..], b": parameter not set"].concat()));
        }
        Ok(value)
    }

    async fn missing(
        &mut self,
        parameter: &Parameter,
        test_type: &ParameterTestType,
        message: Option<&str>,
    ) -> Result<Stop, Stop> {
        let message = match message.filter(|message| !message.is_empty()) {
            Some(message) => self.string(message).await?,
            None => match test_type {
                ParameterTestType::Unset => b"parameter not set".to_vec(),
                ParameterTestType::UnsetOrNull => b"parameter not set or null".to_vec(),
            },
        };
        Ok(Stop::fatal([&name_of(parameter)[..], b": ", &message].concat()))
    }

    fn push_value(&self, value: Value, context: Context, pieces: &mut Pieces) {
        let Value::List { values, is_joined } = value else {
            pieces.push(expanded(single(value), context));
            return;
        };
        if is_joined && (context.is_quoted || !context.is_split) {
            let separator = match self.get("IFS") {
                Some(separators) => separators.get(..1).unwrap_or_default().to_vec(),
                None => b" ".to_vec(),
            };
            pieces.push(expanded(values.join(&separator[..]), context));
            return;
        }
        for (index, value) in values.into_iter().enumerate() {
            if index > 0 {
                pieces.push(Piece::Break);
            }
            pieces.push(expanded(value, context));
        }
    }

    /// The word of `${parameter-word}` and its like.
    async fn push_word(&mut self, word: Option<&str>, context: Context, pieces: &mut Pieces) -> Result<(), Stop> {
        let Some(word) = word else {
            return Ok(());
        };
        if !context.is_quoted {
            let mut inner = self.pieces(word, context).await?;
            // Blanks of the script split fields here.
            for piece in &mut inner {
                if let Piece::Literal(text) = piece {
                    *piece = Piece::Expanded(std::mem::take(text));
                }
            }
            pieces.append(&mut inner);
            return Ok(());
        }
        // In quotes already: single quotes are literal, double ones are not there.
        let word = format!("\"{}\"", word.replace("\\}", "}"));
        let parsed = super::parse(&word, &crate::interpreter::source::options())?;
        for part in &parsed {
            match &part.piece {
                WordPiece::DoubleQuotedSequence(parts) => self.expand(parts, context, pieces).await?,
                _ => self.expand(std::slice::from_ref::<WordPieceWithSource>(part), context, pieces).await?,
            }
        }
        Ok(())
    }
}

fn single(value: Value) -> Vec<u8> {
    match value {
        Value::Unset => Vec::new(),
        Value::One(value) => value,
        Value::List { values, .. } => values.join(&b' '),
    }
}

fn lacks(value: &Value, test_type: &ParameterTestType) -> bool {
    let is_null_too = matches!(test_type, ParameterTestType::UnsetOrNull);
    match value {
        Value::Unset => true,
        Value::One(value) => is_null_too && value.is_empty(),
        Value::List { values, .. } => values.is_empty() || is_null_too && values.iter().all(Vec::is_empty),
    }
}

fn name_of(parameter: &Parameter) -> Vec<u8> {
    match parameter {
        Parameter::Positional(number) => number.to_string().into_bytes(),
        Parameter::Special(special) => special.to_string().into_bytes(),
        Parameter::Named(name) => decode(name),
        other => other.to_string().into_bytes(),
    }
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
