//! From tokens to a program.

use std::collections::HashMap;
use std::rc::Rc;

use super::lexer::{Lexer, Mistake, Token};
use super::syntax::{
    Arithmetic, Builtin, Comparison, Expression, Function, Pattern, Program, SPECIAL, Source, Statement, Target, Variable,
    special,
};

/// How deep expressions and statements may be nested.
const DEPTH_LIMIT: usize = 100;

type Parsed<T> = Result<T, Mistake>;

/// What a name turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Unknown,
    Scalar,
    Array,
}

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
                let place = self.program.functions.get_mut(*caller).and_then(|function| function.arrays.get_mut(*local));
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
                let message = [format!("type error in arg({number}) in call to ").as_bytes(), &function.name[..]].concat();
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
        let (variable, known) = match local {
            Some(index) => (Variable::Local(index), self.parameters.get_mut(index).map(|(_, kind)| kind)),
            None => {
                if self.functions.contains_key(name) {
                    return self.wrong([b"illegal reference to function ", name].concat());
                }
                let index = self.global(name);
                (Variable::Global(index), self.kinds.get_mut(index))
            }
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

    fn block(&mut self) -> Parsed<Vec<Statement>> {
        self.expect("{")?;
        let mut statements = Vec::new();
        loop {
            while self.token == Token::Newline || self.is(";") {
                self.advance()?;
            }
            if self.accept("}")? {
                return Ok(statements);
            }
            statements.push(self.statement()?);
        }
    }

    fn end_of_statement(&mut self) -> Parsed<()> {
        if self.token == Token::Newline || self.is(";") {
            self.advance()?;
            return Ok(());
        }
        if self.is("}") && self.parentheses == 0 { Ok(()) } else { self.unexpected() }
    }

    fn statement(&mut self) -> Parsed<Statement> {
        self.nested(Self::statement_here)
    }

    /// The statement of a loop or a condition, which may be empty.
    fn body(&mut self) -> Parsed<Box<Statement>> {
        self.skip_newlines()?;
        if self.accept(";")? || self.is("}") {
            return Ok(Box::new(Statement::Block(Vec::new())));
        }
        Ok(Box::new(self.statement()?))
    }

    fn loop_body(&mut self) -> Parsed<Box<Statement>> {
        self.loops += 1;
        let body = self.body();
        self.loops -= 1;
        body
    }

    fn statement_here(&mut self) -> Parsed<Statement> {
        if self.is("{") {
            return Ok(Statement::Block(self.block()?));
        }
        let Token::Keyword(keyword) = self.token else {
            let statement = self.simple()?;
            self.end_of_statement()?;
            return Ok(statement);
        };
        match keyword {
            "if" => {
                self.advance()?;
                let condition = self.condition()?;
                let then = self.body()?;
                // An `else` may come after newlines and a semicolon.
                self.skip_newlines()?;
                if self.is(";") && *self.peek()? == Token::Keyword("else") {
                    self.advance()?;
                }
                let otherwise = if self.is_keyword("else") {
                    self.advance()?;
                    Some(self.body()?)
                } else {
                    None
                };
                Ok(Statement::If(condition, then, otherwise))
            }
            "while" => {
                self.advance()?;
                let condition = self.condition()?;
                Ok(Statement::While(condition, self.loop_body()?))
            }
            "do" => {
                self.advance()?;
                let body = self.loop_body()?;
                self.skip_newlines()?;
                if self.is(";") {
                    self.advance()?;
                    self.skip_newlines()?;
                }
                if !self.is_keyword("while") {
                    return self.unexpected();
                }
                self.advance()?;
                let condition = self.condition()?;
                self.end_of_statement()?;
                Ok(Statement::DoWhile(body, condition))
            }
            "for" => self.for_loop(),
            _ => {
                let statement = self.simple()?;
                self.end_of_statement()?;
                Ok(statement)
            }
        }
    }

    fn condition(&mut self) -> Parsed<Expression> {
        self.expect("(")?;
        let condition = self.expression()?;
        self.expect(")")?;
        Ok(condition)
    }

    fn for_loop(&mut self) -> Parsed<Statement> {
        self.advance()?;
        self.expect("(")?;
        if let Token::Name(name) = self.token.clone()
            && *self.peek()? == Token::Keyword("in")
        {
            self.advance()?;
            self.advance()?;
            let Token::Name(array) = self.token.clone() else { return self.unexpected() };
            self.advance()?;
            if self.is(")") {
                self.expect(")")?;
                let variable = self.variable(&name, Kind::Scalar)?;
                let array = self.variable(&array, Kind::Array)?;
                return Ok(Statement::ForIn(variable, array, self.loop_body()?));
            }
            return self.unexpected();
        }
        let start = if self.is(";") { None } else { Some(Box::new(self.simple()?)) };
        self.expect(";")?;
        self.skip_newlines()?;
        let condition = if self.is(";") { None } else { Some(self.expression()?) };
        self.expect(";")?;
        self.skip_newlines()?;
        let step = if self.is(")") { None } else { Some(Box::new(self.simple()?)) };
        self.expect(")")?;
        Ok(Statement::For(start, condition, step, self.loop_body()?))
    }

    fn simple(&mut self) -> Parsed<Statement> {
        let Token::Keyword(keyword) = self.token else { return Ok(Statement::Expression(self.expression()?)) };
        let is_at_end = |parser: &Self| {
            matches!(parser.token, Token::Newline | Token::End) || parser.is(";") || parser.is("}")
        };
        match keyword {
            "print" | "printf" => {
                self.advance()?;
                self.output(keyword == "printf")
            }
            "break" | "continue" => {
                if self.loops == 0 {
                    return self.wrong(format!("{keyword} statement outside of loop"));
                }
                self.advance()?;
                Ok(if keyword == "break" { Statement::Break } else { Statement::Continue })
            }
            "next" | "nextfile" => {
                if !self.in_rule {
                    return self.wrong(format!("improper use of {keyword}"));
                }
                self.advance()?;
                Ok(if keyword == "next" { Statement::Next } else { Statement::NextFile })
            }
            "exit" => {
                self.advance()?;
                Ok(Statement::Exit(if is_at_end(self) { None } else { Some(self.expression()?) }))
            }
            "return" => {
                if !self.in_function {
                    return self.wrong("return outside function body");
                }
                self.advance()?;
                Ok(Statement::Return(if is_at_end(self) { None } else { Some(self.expression()?) }))
            }
            "delete" => {
                self.advance()?;
                let Token::Name(name) = self.token.clone() else { return self.unexpected() };
                self.advance()?;
                let array = self.variable(&name, Kind::Array)?;
                if !self.accept("[")? {
                    return Ok(Statement::Delete(array, None));
                }
                let key = self.list()?;
                self.expect("]")?;
                Ok(Statement::Delete(array, Some(key)))
            }
            "getline" => Ok(Statement::Expression(self.expression()?)),
            _ => self.unexpected(),
        }
    }

    fn output(&mut self, is_printf: bool) -> Parsed<Statement> {
        let is_at_end = matches!(self.token, Token::Newline | Token::End)
            || [";", "}", ">", ">>", "|"].iter().any(|operator| self.is(operator));
        let saved = std::mem::replace(&mut self.no_greater, true);
        let mut arguments = if is_at_end { Vec::new() } else { self.list()? };
        self.no_greater = saved;
        if let [Expression::List(list)] = &mut arguments[..] {
            arguments = std::mem::take(list);
        }
        if is_printf && arguments.is_empty() {
            return self.wrong("no arguments in call to printf");
        }
        if arguments.iter().any(|argument| matches!(argument, Expression::List(_))) {
            return self.unexpected();
        }
        let target = if self.accept(">")? {
            Some(Target::File(self.target()?))
        } else if self.accept(">>")? {
            Some(Target::Append(self.target()?))
        } else if self.accept("|")? {
            Some(Target::Command(self.target()?))
        } else {
            None
        };
        Ok(if is_printf { Statement::Printf(arguments, target) } else { Statement::Print(arguments, target) })
    }

    /// The name of an output.
    fn target(&mut self) -> Parsed<Expression> {
        let saved = std::mem::replace(&mut self.no_greater, true);
        let expression = self.expression();
        self.no_greater = saved;
        expression
    }

    fn list(&mut self) -> Parsed<Vec<Expression>> {
        let mut list = vec![self.expression()?];
        while self.accept(",")? {
            self.skip_newlines()?;
            list.push(self.expression()?);
        }
        Ok(list)
    }

    fn expression(&mut self) -> Parsed<Expression> {
        self.nested(Self::ternary)
    }

    fn ternary(&mut self) -> Parsed<Expression> {
        let condition = self.or()?;
        if self.is("=") || matches!(self.token, Token::Assign(_)) {
            let target = match condition {
                // `!x = y` and its like assign to the last operand.
                Expression::Variable(_) | Expression::Field(_) | Expression::Element(..) => condition,
                _ => return self.unexpected(),
            };
            let operator = match self.advance()? {
                Token::Assign(operator) => Some(operator),
                _ => None,
            };
            self.skip_newlines()?;
            let value = self.expression()?;
            return Ok(Expression::Assign(operator, Box::new(target), Box::new(value)));
        }
        if !self.accept("?")? {
            return Ok(condition);
        }
        self.skip_newlines()?;
        let then = self.expression()?;
        self.skip_newlines()?;
        self.expect(":")?;
        self.skip_newlines()?;
        let otherwise = self.expression()?;
        Ok(Expression::Conditional(Box::new(condition), Box::new(then), Box::new(otherwise)))
    }

    fn or(&mut self) -> Parsed<Expression> {
        let mut left = self.and()?;
        while self.accept("||")? {
            self.skip_newlines()?;
            left = Expression::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Parsed<Expression> {
        let mut left = self.membership()?;
        while self.accept("&&")? {
            self.skip_newlines()?;
            left = Expression::And(Box::new(left), Box::new(self.membership()?));
        }
        Ok(left)
    }

    fn membership(&mut self) -> Parsed<Expression> {
        let mut left = self.matching()?;
        while self.is_keyword("in") && !self.no_in {
            self.advance()?;
            let Token::Name(name) = self.token.clone() else { return self.unexpected() };
            self.advance()?;
            let array = self.variable(&name, Kind::Array)?;
            let key = match left {
                Expression::List(list) => list,
                other => vec![other],
            };
            left = Expression::In(key, array);
        }
        Ok(left)
    }

    fn matching(&mut self) -> Parsed<Expression> {
        let mut left = self.comparison()?;
        loop {
            let is_negated = self.is("!~");
            if !is_negated && !self.is("~") {
                return Ok(left);
            }
            self.advance()?;
            left = Expression::Match(is_negated, Box::new(left), Box::new(self.comparison()?));
        }
    }

    fn comparison(&mut self) -> Parsed<Expression> {
        let mut left = self.concatenation()?;
        loop {
            let Token::Operator(operator) = self.token else { return Ok(left) };
            let comparison = match operator {
                "<" => Comparison::Less,
                "<=" => Comparison::LessOrEqual,
                "==" => Comparison::Equal,
                "!=" => Comparison::NotEqual,
                ">" if !self.no_greater => Comparison::Greater,
                ">=" => Comparison::GreaterOrEqual,
                _ => return Ok(left),
            };
            self.advance()?;
            left = Expression::Comparison(comparison, Box::new(left), Box::new(self.concatenation()?));
        }
    }

    fn concatenation(&mut self) -> Parsed<Expression> {
        let mut left = self.additive()?;
        loop {
            let starts = match &self.token {
                Token::Number(_) | Token::String(_) | Token::Name(_) | Token::Function(_) | Token::Builtin(_) => true,
                Token::Operator(operator) => matches!(*operator, "$" | "!" | "(" | "-" | "+" | "++" | "--"),
                _ => false,
            };
            if !starts {
                return Ok(left);
            }
            left = Expression::Concatenation(Box::new(left), Box::new(self.additive()?));
        }
    }

    fn additive(&mut self) -> Parsed<Expression> {
        let mut left = self.multiplicative()?;
        loop {
            let operator = match &self.token {
                Token::Operator("+") => Arithmetic::Add,
                Token::Operator("-") => Arithmetic::Subtract,
                _ => return Ok(left),
            };
            self.advance()?;
            left = Expression::Arithmetic(operator, Box::new(left), Box::new(self.multiplicative()?));
        }
    }

    fn multiplicative(&mut self) -> Parsed<Expression> {
        let mut left = self.unary()?;
        loop {
            let operator = match &self.token {
                Token::Operator("*") => Arithmetic::Multiply,
                Token::Operator("/") => Arithmetic::Divide,
                Token::Operator("%") => Arithmetic::Remainder,
                _ => return Ok(left),
            };
            self.advance()?;
            left = Expression::Arithmetic(operator, Box::new(left), Box::new(self.unary()?));
        }
    }

    fn unary(&mut self) -> Parsed<Expression> {
        let Token::Operator(operator @ ("!" | "-" | "+")) = self.token else { return self.power() };
        self.advance()?;
        let operand = self.nested(Self::unary)?;
        // An assignment has the operand as its target: `!x = y`.
        let operand = if self.is("=") && matches!(operand, Expression::Variable(_) | Expression::Field(_) | Expression::Element(..)) {
            self.advance()?;
            Expression::Assign(None, Box::new(operand), Box::new(self.expression()?))
        } else {
            operand
        };
        Ok(match operator {
            "!" => Expression::Not(Box::new(operand)),
            "-" => Expression::Negative(Box::new(operand)),
            _ => Expression::Positive(Box::new(operand)),
        })
    }

    fn power(&mut self) -> Parsed<Expression> {
        let base = self.postfix()?;
        if !self.accept("^")? {
            return Ok(base);
        }
        // It is right-associative, and binds tighter than a sign before it, but not than one behind it.
        let exponent = self.nested(Self::unary)?;
        Ok(Expression::Arithmetic(Arithmetic::Power, Box::new(base), Box::new(exponent)))
    }

    fn postfix(&mut self) -> Parsed<Expression> {
        for (operator, by) in [("++", 1.0), ("--", -1.0)] {
            if self.accept(operator)? {
                let target = self.nested(Self::primary)?;
                if !is_target(&target) {
                    return self.unexpected();
                }
                return Ok(Expression::Increment { target: Box::new(target), by, is_prefix: true });
            }
        }
        let mut expression = self.primary()?;
        if is_target(&expression) {
            for (operator, by) in [("++", 1.0), ("--", -1.0)] {
                if self.accept(operator)? {
                    expression = Expression::Increment { target: Box::new(expression), by, is_prefix: false };
                    break;
                }
            }
        }
        while self.is("|") && *self.peek()? == Token::Keyword("getline") {
            self.advance()?;
            self.advance()?;
            let target = self.optional_target()?;
            expression = Expression::Getline(Source::Command(Box::new(expression)), target);
        }
        Ok(expression)
    }

    /// What a line is read into.
    fn optional_target(&mut self) -> Parsed<Option<Box<Expression>>> {
        if !matches!(self.token, Token::Name(_)) && !self.is("$") {
            return Ok(None);
        }
        Ok(Some(Box::new(self.nested(Self::primary)?)))
    }

    fn primary(&mut self) -> Parsed<Expression> {
        match self.token.clone() {
            Token::Number(number) => {
                self.advance()?;
                Ok(Expression::Number(number))
            }
            Token::String(text) => {
                self.advance()?;
                Ok(Expression::String(text))
            }
            Token::Pattern(text) => {
                self.advance()?;
                Ok(Expression::Pattern(self.pattern(text)))
            }
            Token::Name(name) => {
                self.advance()?;
                if self.is("(") && self.functions.contains_key(&name) {
                    return self.call(&name);
                }
                self.name(&name)
            }
            Token::Function(name) => {
                self.advance()?;
                self.call(&name)
            }
            Token::Builtin(builtin) => {
                self.advance()?;
                self.builtin(builtin)
            }
            Token::Keyword("getline") => {
                self.advance()?;
                let target = self.optional_target()?;
                if self.accept("<")? {
                    let file = self.nested(Self::primary)?;
                    return Ok(Expression::Getline(Source::File(Box::new(file)), target));
                }
                Ok(Expression::Getline(Source::Main, target))
            }
            Token::Operator("$") => {
                self.advance()?;
                let index = self.nested(|parser| match parser.token {
                    Token::Operator("-" | "+" | "!") => parser.unary(),
                    Token::Operator("++" | "--") => parser.postfix(),
                    _ => parser.primary(),
                })?;
                Ok(Expression::Field(Box::new(index)))
            }
            Token::Operator("(") => self.parenthesized(),
            _ => self.unexpected(),
        }
    }

    fn parenthesized(&mut self) -> Parsed<Expression> {
        self.expect("(")?;
        let saved = (std::mem::take(&mut self.no_greater), std::mem::take(&mut self.no_in));
        let mut list = self.list()?;
        (self.no_greater, self.no_in) = saved;
        self.skip_newlines()?;
        self.expect(")")?;
        if list.len() == 1
            && let Some(expression) = list.pop()
        {
            return Ok(Expression::Parentheses(Box::new(expression)));
        }
        Ok(Expression::List(list))
    }

    fn pattern(&mut self, text: Rc<[u8]>) -> usize {
        self.program.patterns.push(text);
        self.program.patterns.len() - 1
    }

    fn name(&mut self, name: &[u8]) -> Parsed<Expression> {
        if self.is("[") {
            let array = self.variable(name, Kind::Array)?;
            self.advance()?;
            let saved = std::mem::take(&mut self.no_greater);
            let key = self.list()?;
            self.no_greater = saved;
            self.expect("]")?;
            return Ok(Expression::Element(array, key));
        }
        Ok(Expression::Variable(self.variable(name, Kind::Scalar)?))
    }

    fn arguments(&mut self) -> Parsed<Vec<Expression>> {
        self.expect("(")?;
        let saved = std::mem::take(&mut self.no_greater);
        let mut arguments = Vec::new();
        self.skip_newlines()?;
        while !self.is(")") {
            arguments.push(self.argument()?);
            self.skip_newlines()?;
            if !self.accept(",")? {
                break;
            }
            self.skip_newlines()?;
        }
        self.no_greater = saved;
        self.expect(")")?;
        Ok(arguments)
    }

    /// An argument: a name alone may be an array.
    fn argument(&mut self) -> Parsed<Expression> {
        if let Token::Name(name) = self.token.clone()
            && matches!(self.peek()?, Token::Operator("," | ")"))
        {
            self.advance()?;
            return Ok(Expression::Variable(self.variable(&name, Kind::Unknown)?));
        }
        self.expression()
    }

    fn call(&mut self, name: &[u8]) -> Parsed<Expression> {
        if self.globals.contains_key(name) || self.parameters.iter().any(|(known, _)| known == name) {
            return self.unexpected();
        }
        let index = self.function_named(name);
        let arguments = self.arguments()?;
        for (position, argument) in arguments.iter().enumerate() {
            if let Expression::Variable(variable) = argument {
                self.passed.push((index, position, self.current, *variable));
            } else {
                self.passed_values.push((index, position, self.line));
            }
        }
        if let Some(function) = self.program.functions.get(index).filter(|function| function.is_defined)
            && arguments.len() > function.parameters
        {
            return self.wrong([b"too many arguments in call to ", name].concat());
        }
        Ok(Expression::Call(index, arguments))
    }

    fn builtin(&mut self, builtin: Builtin) -> Parsed<Expression> {
        let (fewest, most) = match builtin {
            Builtin::Rand => (0, 0),
            Builtin::Length | Builtin::Srand | Builtin::Fflush => (0, 1),
            Builtin::Atan2 | Builtin::Index | Builtin::Match => (2, 2),
            Builtin::Split | Builtin::Substr | Builtin::Sub | Builtin::Gsub => (2, 3),
            Builtin::Sprintf => (1, usize::MAX),
            _ => (1, 1),
        };
        let arguments = if self.is("(") {
            self.arguments()?
        } else if builtin == Builtin::Length {
            Vec::new()
        } else {
            return self.unexpected();
        };
        if arguments.len() < fewest || arguments.len() > most {
            let name = format!("{builtin:?}").to_lowercase();
            return self.wrong(format!("wrong number of arguments in call to {name}"));
        }
        if builtin == Builtin::Length
            && let Some(Expression::Variable(Variable::Global(index))) = arguments.first()
            && let Some(kind @ Kind::Unknown) = self.kinds.get_mut(*index)
        {
            // What is no array yet, is none.
            *kind = Kind::Scalar;
        }
        if builtin == Builtin::Split
            && let Some(Expression::Variable(variable)) = arguments.get(1)
        {
            self.mark_array(*variable)?;
        } else if builtin == Builtin::Split {
            return self.unexpected();
        }
        if matches!(builtin, Builtin::Sub | Builtin::Gsub)
            && arguments.get(2).is_some_and(|target| !is_target(target))
        {
            return self.unexpected();
        }
        Ok(Expression::Builtin(builtin, arguments))
    }

    fn mark_array(&mut self, variable: Variable) -> Parsed<()> {
        let name = match variable {
            Variable::Global(index) => self.program.globals.get(index).cloned(),
            Variable::Local(index) => self.parameters.get(index).map(|(name, _)| name.clone()),
        };
        self.variable(&name.unwrap_or_default(), Kind::Array).map(drop)
    }
}

fn is_target(expression: &Expression) -> bool {
    matches!(expression, Expression::Variable(_) | Expression::Field(_) | Expression::Element(..))
}
