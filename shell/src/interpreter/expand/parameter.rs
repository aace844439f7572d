//! Parameter expansion.

use async_recursion::async_recursion;
use brush_parser::word::{
    Parameter, ParameterExpr, ParameterTestType, SpecialParameter, WordPiece, WordPieceWithSource,
};

use super::{Context, Piece, Pieces, bad_substitution, expanded};
use crate::interpreter::Shell;
use crate::interpreter::source::decode;
use crate::interpreter::stop::Stop;

/// What a parameter is at the moment.
pub(super) enum Value {
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
    #[async_recursion(?Send)]
    pub(super) async fn parameter(
        &mut self,
        expression: &ParameterExpr,
        context: Context,
        pieces: &mut Pieces,
    ) -> Result<(), Stop> {
        match expression {
            // `${#?}` and `${#-}`: the lengths of `$?` and `$-`, not the number of parameters with an empty word.
            ParameterExpr::IndicateErrorIfNullOrUnset {
                parameter: Parameter::Special(SpecialParameter::PositionalParameterCount),
                test_type: ParameterTestType::Unset,
                error_message: word,
                ..
            } if word.as_deref().unwrap_or_default().is_empty() => {
                pieces.push(expanded(self.status.to_string().len().to_string().into_bytes(), context));
            }
            ParameterExpr::UseDefaultValues {
                parameter: Parameter::Special(SpecialParameter::PositionalParameterCount),
                test_type: ParameterTestType::Unset,
                default_value: word,
                ..
            } if word.as_deref().unwrap_or_default().is_empty() => {
                pieces.push(expanded(self.options.letters().len().to_string().into_bytes(), context));
            }
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

    /// What a parameter is.
    pub(super) fn value(&self, parameter: &Parameter, is_indirect: bool) -> Result<Value, Stop> {
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
    pub(super) fn checked(&self, value: Value, parameter: &Parameter) -> Result<Value, Stop> {
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

    pub(super) fn push_value(&self, value: Value, context: Context, pieces: &mut Pieces) {
        let Value::List { values, is_joined } = value else {
            pieces.push(expanded(single(value), context));
            return;
        };
        if is_joined && context.is_quoted || !context.is_split {
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
    #[async_recursion(?Send)]
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

pub(super) fn single(value: Value) -> Vec<u8> {
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
