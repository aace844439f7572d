//! Functions.

use async_recursion::async_recursion;
use std::rc::Rc;

use brush_parser::ast;

use super::Shell;
use super::source::decode;
use super::stop::{Executed, Stop};
use super::variables::is_name;

impl Shell {
    /// Defines a function.
    pub(super) fn define(&mut self, function: &ast::FunctionDefinition) -> Executed {
        let name = decode(&function.fname.value);
        if !is_name(&name) && name.iter().any(|byte| b"$`'\"\\/=".contains(byte)) {
            return Err(Stop::fatal("Syntax error: Bad function name"));
        }
        self.functions.insert(name, Rc::new(function.body.clone()));
        Ok(0)
    }

    /// Calls a function with these parameters.
    #[async_recursion(?Send)]
    pub(super) async fn call(&mut self, body: &ast::FunctionBody, parameters: Vec<Vec<u8>>) -> Executed {
        let outer = std::mem::replace(&mut self.parameters, parameters);
        let loops = std::mem::take(&mut self.loops);
        self.calls += 1;
        self.variables.enter();
        let ast::FunctionBody(command, redirects) = body;
        let redirects = redirects.as_ref().map_or(&[][..], |list| &list.0);
        let executed = self.redirected_compound(command, redirects).await;
        self.variables.leave();
        self.calls -= 1;
        self.loops = loops;
        self.parameters = outer;
        match executed {
            Err(Stop::Return(status)) => Ok(status),
            executed => executed,
        }
    }
}
