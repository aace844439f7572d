//! Statements.

use super::super::lexer::Token;
use super::super::syntax::{Expression, Statement, Target};
use super::{Kind, Parsed, Parser};

impl Parser<'_> {
    pub(super) fn block(&mut self) -> Parsed<Vec<Statement>> {
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
        let is_at_end =
            |parser: &Self| matches!(parser.token, Token::Newline | Token::End) || parser.is(";") || parser.is("}");
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
}
