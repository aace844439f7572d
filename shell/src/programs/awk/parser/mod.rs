//! From tokens to a program.

mod expressions;
mod statements;

use std::collections::HashMap;

use super::lexer::{Lexer, Mistake, Token};
use super::syntax::{Function, Pattern, Program, SPECIAL, Variable, special};

/// How deep expressions and statements may be nested.
const DEPTH_LIMIT: usize = 50;

type Parsed<T> = Result<T, Mistake>;

/// What a name turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Unknown,
    Scalar,
    Array,
}

#[allow(clippy::struct_excessive_bools, reason = "each is where in the grammar the parser is")]
pub(super) struct Parser<'a> {
    lexer: Lexer<'a>,
    token: Token,
    next: Option<Token>,
    line: usize,
    pub(super) program: Program,
    globals: HashMap<Vec<u8>, usize>,
    kinds: Vec<Kind>,
    functions: HashMap<Vec<u8>, usize>,
    /// The parameters of the function that is being read.
    parameters: Vec<(Vec<u8>, Kind)>,
    in_function: bool,
    /// Whether `next` may stand here.
    in_rule: bool,
    loops: usize,
    parentheses: usize,
    braces: usize,
    depth: usize,
    /// `>` is no comparison here: an output may follow.
    no_greater: bool,
    /// `in` is no operator here: it may be that of a loop.
    no_in: bool,
    /// Calls, to find out which parameters are arrays: of which function, from which one with which parameters.
    passed: Vec<(usize, usize, Option<usize>, Variable)>,
    current: Option<usize>,
    /// Calls with values that are no variables: of which function, which parameter, in which line.
    passed_values: Vec<(usize, usize, usize)>,
}

pub(super) fn parse(text: &[u8]) -> Parsed<Program> {
    let mut parser = Parser {
        lexer: Lexer::new(text),
        token: Token::Newline,
        next: None,
        line: 1,
        program: Program::default(),
        globals: HashMap::new(),
        kinds: Vec::new(),
        functions: HashMap::new(),
        parameters: Vec::new(),
        in_function: false,
        in_rule: false,
        loops: 0,
        parentheses: 0,
        braces: 0,
        depth: 0,
        no_greater: false,
        no_in: false,
        passed: Vec::new(),
        current: None,
        passed_values: Vec::new(),
    };
    for (index, name) in SPECIAL.iter().enumerate() {
        parser.global(name.as_bytes());
        let is_array = index == special::ENVIRON || index == special::ARGV;
        if let Some(kind) = parser.kinds.get_mut(index) {
            *kind = if is_array { Kind::Array } else { Kind::Scalar };
        }
    }
    parser.advance()?;
    parser.program()?;
    parser.finish()?;
    Ok(parser.program)
}

impl Parser<'_> {
    fn advance(&mut self) -> Parsed<Token> {
        let next = match self.next.take() {
            Some(token) => token,
            None => self.lexer.next()?,
        };
        self.line = self.lexer.line;
        Ok(std::mem::replace(&mut self.token, next))
    }

    fn peek(&mut self) -> Parsed<&Token> {
        if self.next.is_none() {
            self.next = Some(self.lexer.next()?);
        }
        Ok(self.next.as_ref().unwrap_or(&Token::End))
    }

    fn wrong<T>(&self, message: impl Into<Vec<u8>>) -> Parsed<T> {
        Err(Mistake { line: self.line, message: message.into(), is_short: false })
    }

    fn unexpected<T>(&self) -> Parsed<T> {
        let shown = match &self.token {
            Token::Newline | Token::End => {
                // A newline has been counted already.
                let line = self.line - usize::from(self.token == Token::Newline);
                let (line, message) = match (&self.token, self.parentheses, self.braces) {
                    (_, 1.., _) => (line, "missing ) near end of line"),
                    (Token::End, _, 1..) => (line + 1, "missing } near end of file"),
                    _ => (line, "syntax error at or near end of line"),
                };
                return Err(Mistake { line, message: message.into(), is_short: false });
            }
            Token::Operator(")") if self.parentheses == 0 => return self.wrong("extra ')'"),
            Token::Operator("}") if self.parentheses > 0 && self.braces > 0 => return self.wrong("missing ) near }"),
            Token::Operator("}") if self.braces == 0 => {
                return self.wrong(format!("extra '}}'\nawk: line {}: syntax error at or near end of line", self.line));
            }
            Token::Operator(text) | Token::Keyword(text) => text.as_bytes().to_vec(),
            Token::Name(name) | Token::Function(name) => name.clone(),
            Token::Number(number) => format!("{number}").into_bytes(),
            Token::String(text) => [b"\"", &text[..], b"\""].concat(),
            Token::Pattern(text) => [b"/", &text[..], b"/"].concat(),
            Token::Builtin(builtin) => format!("{builtin:?}").to_lowercase().into_bytes(),
            Token::Assign(operator) => format!("{operator:?}").into_bytes(),
        };
        self.wrong([b"syntax error at or near ", &shown[..]].concat())
    }

    fn is(&self, operator: &str) -> bool {
        matches!(&self.token, Token::Operator(here) if *here == operator)
    }

    fn is_keyword(&self, keyword: &str) -> bool {
        matches!(&self.token, Token::Keyword(here) if *here == keyword)
    }

    fn accept(&mut self, operator: &str) -> Parsed<bool> {
        let is = self.is(operator);
        if is {
            match operator {
                "(" => self.parentheses += 1,
                ")" => self.parentheses = self.parentheses.saturating_sub(1),
                "{" => self.braces += 1,
                "}" => self.braces = self.braces.saturating_sub(1),
                _ => {}
            }
            self.advance()?;
        }
        Ok(is)
    }

    fn expect(&mut self, operator: &str) -> Parsed<()> {
        if self.accept(operator)? { Ok(()) } else { self.unexpected() }
    }

    fn skip_newlines(&mut self) -> Parsed<()> {
        while self.token == Token::Newline {
            self.advance()?;
        }
        Ok(())
    }

    /// Guards against programs that are nested too deep.
    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= DEPTH_LIMIT {
            return self.wrong("the program is nested too deep");
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    fn program(&mut self) -> Parsed<()> {
        loop {
            self.skip_newlines()?;
            if self.token == Token::End {
                return Ok(());
            }
            self.item()?;
            if self.is(";") {
                self.advance()?;
            }
        }
    }

    fn item(&mut self) -> Parsed<()> {
        if self.is_keyword("function") {
            return self.function();
        }
        for keyword in ["BEGIN", "END"] {
            if self.is_keyword(keyword) {
                self.advance()?;
                if !self.is("{") {
                    return self.unexpected();
                }
                let body = self.block()?;
                if keyword == "BEGIN" {
                    self.program.begin.extend(body);
                } else {
                    self.program.has_end = true;
                    self.program.end.extend(body);
                }
                return Ok(());
            }
        }
        let pattern = if self.is("{") {
            Pattern::Always
        } else {
            let first = self.expression()?;
            if self.accept(",")? {
                self.skip_newlines()?;
                Pattern::Range(first, self.expression()?)
            } else {
                Pattern::Expression(first)
            }
        };
        self.in_rule = true;
        let body = if self.is("{") { Some(self.block()?) } else { None };
        self.in_rule = false;
        if body.is_none() && !matches!(self.token, Token::Newline | Token::End) && !self.is(";") {
            return self.unexpected();
        }
        self.program.rules.push((pattern, body));
        Ok(())
    }

    fn function(&mut self) -> Parsed<()> {
        self.advance()?;
        let (Token::Name(name) | Token::Function(name)) = self.token.clone() else { return self.unexpected() };
        if self.globals.contains_key(&name) {
            return self.wrong([b"illegal reference to variable ", &name[..]].concat());
        }
        self.advance()?;
        let index = self.function_named(&name);
        self.expect("(")?;
        self.parameters.clear();
        while !self.is(")") {
            self.skip_newlines()?;
            let Token::Name(parameter) = self.token.clone() else { return self.unexpected() };
            if parameter == name {
                return self.unexpected();
            }
            if self.parameters.iter().any(|(known, _)| *known == parameter) {
                return self.wrong([&parameter[..], b" is duplicated in argument list"].concat());
            }
            self.advance()?;
            self.parameters.push((parameter, Kind::Unknown));
            if !self.accept(",")? {
                break;
            }
            self.skip_newlines()?;
        }
        self.expect(")")?;
        self.skip_newlines()?;
        self.in_function = true;
        self.current = Some(index);
        let body = self.block()?;
        self.in_function = false;
        self.current = None;
        let arrays = self.parameters.iter().map(|(_, kind)| *kind == Kind::Array).collect();
        let parameters = self.parameters.len();
        self.parameters.clear();
        if let Some(function) = self.program.functions.get_mut(index) {
            if function.is_defined {
                return self.wrong([b"illegal reference to function ", &name[..]].concat());
            }
            *function = Function { name, parameters, arrays, body, is_defined: true };
        }
        Ok(())
    }

    fn function_named(&mut self, name: &[u8]) -> usize {
        if let Some(index) = self.functions.get(name) {
            return *index;
        }
        let index = self.program.functions.len();
        self.program.functions.push(Function { name: name.to_vec(), ..Function::default() });
        self.functions.insert(name.to_vec(), index);
        index
    }

    /// What can only be known at the end.
    fn finish(&mut self) -> Parsed<()> {
        let missing = self.program.functions.iter().find(|function| !function.is_defined);
        if let Some(function) = missing {
            return Err(Mistake {
                line: self.line + 1,
                message: [b"function ", &function.name[..], b" never defined"].concat(),
                is_short: false,
            });
        }
        // A parameter that is passed on as an array is one.
        let mut is_settled = false;
        while !is_settled {
            is_settled = true;
            for (callee, position, caller, variable) in &self.passed {
                let is_array = self.program.functions.get(*callee).and_then(|function| function.arrays.get(*position));
                let (Some(true), Some(caller), Variable::Local(local)) = (is_array, caller, variable) else { continue };
                let place =
                    self.program.functions.get_mut(*caller).and_then(|function| function.arrays.get_mut(*local));
                if let Some(place) = place.filter(|place| !**place) {
                    *place = true;
                    is_settled = false;
                }
            }
        }
        for (callee, position, line) in &self.passed_values {
            let Some(function) = self.program.functions.get(*callee) else { continue };
            if function.arrays.get(*position) == Some(&true) {
                let number = position + 1;
                let message =
                    [format!("type error in arg({number}) in call to ").as_bytes(), &function.name[..]].concat();
                return Err(Mistake { line: *line, message, is_short: false });
            }
        }
        Ok(())
    }

    fn global(&mut self, name: &[u8]) -> usize {
        if let Some(index) = self.globals.get(name) {
            return *index;
        }
        let index = self.program.globals.len();
        self.program.globals.push(name.to_vec());
        self.kinds.push(Kind::Unknown);
        self.globals.insert(name.to_vec(), index);
        index
    }

    fn variable(&mut self, name: &[u8], kind: Kind) -> Parsed<Variable> {
        let local = self.parameters.iter().position(|(known, _)| known == name);
        let (variable, known) = if let Some(index) = local {
            (Variable::Local(index), self.parameters.get_mut(index).map(|(_, kind)| kind))
        } else {
            if self.functions.contains_key(name) {
                return self.wrong([b"illegal reference to function ", name].concat());
            }
            let index = self.global(name);
            (Variable::Global(index), self.kinds.get_mut(index))
        };
        if let Some(known) = known {
            match (*known, kind) {
                (Kind::Unknown, _) => *known = kind,
                (Kind::Array, Kind::Scalar) => return self.wrong([b"illegal reference to array ", name].concat()),
                (Kind::Scalar, Kind::Array) => return self.wrong([b"illegal reference to variable ", name].concat()),
                _ => {}
            }
        }
        Ok(variable)
    }
}
