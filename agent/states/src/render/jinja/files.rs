//! Other files of the tree in a template: import, include, extends, and Salt's `import_yaml`.

use std::collections::HashMap;
use std::sync::Arc;

use minijinja::value::Value;

use super::args::Args;
use super::ast::{Expr, Name, Stmt, StmtKind, Template};
use super::failure::Failure;
use super::objects::{Module, module_text};
use super::run::{Frame, Place, Run};
use super::scope::Scope;
use super::{Syntax, Unread, undefined};
use crate::render::python::text;

/// Files that one render may bring in.
const FILES_MAX: usize = 2_000;

impl Run<'_> {
    pub(super) fn other_file(
        &mut self,
        stmt: &Stmt,
        frame: &Frame,
        out: &mut String,
    ) -> Result<(), Failure> {
        match &stmt.kind {
            StmtKind::Import { file, target, context } => {
                let module = self.module(file, *context, frame)?;
                frame.scope.import(target, Value::from_object(module));
            }
            StmtKind::From { file, names, context } => {
                let line = stmt.line;
                let within = if self.place.file == self.main {
                    String::new()
                } else {
                    format!(" in '{}'", self.place.file)
                };
                let module = self.module(file, *context, frame)?;
                for (name, own) in names {
                    let value = module.vars.get(name).cloned().unwrap_or_else(|| {
                        undefined::new(format!(
                            "the template '{}' (imported on line {line}{within}) does not export \
                             the requested name '{name}'",
                            module.name
                        ))
                    });
                    frame.scope.import(own, value);
                }
            }
            StmtKind::Data { file, target, context, filter } => {
                let value = self.data(file, filter, *context, frame)?;
                frame.scope.set(target, value);
            }
            StmtKind::Include { file, context, optional } => {
                self.include(file, *context, *optional, frame, out)?;
            }
            StmtKind::Extends(file) => {
                if self.parent.is_some() {
                    return Err(Failure::syntax("extended multiple times"));
                }
                let value = self.eval(file, frame)?;
                let (template, _) = self.find(&value, false)?.ok_or_else(|| missing(&value))?;
                self.parent = Some(template);
            }
            _ => {}
        }
        Ok(())
    }

    /// An imported file; it sees the importer's names only `with context`.
    fn module(&mut self, file: &Expr, context: bool, frame: &Frame) -> Result<Module, Failure> {
        let value = self.eval(file, frame)?;
        let (template, name) = self.find(&value, false)?.ok_or_else(|| missing(&value))?;
        self.ran(&template, name, context, frame)
    }

    /// What a file comes to. Without the importer's names that is always the same: it runs once,
    /// and all that import it share what it made.
    fn ran(
        &mut self,
        template: &Arc<Template>,
        name: String,
        context: bool,
        frame: &Frame,
    ) -> Result<Module, Failure> {
        if !context && let Some(known) = self.modules.get(&name) {
            return Ok(known.clone());
        }
        let scope = Scope::new(context.then_some(&frame.scope));
        let globals = if context { Arc::clone(&frame.globals) } else { Arc::clone(&self.globals) };
        let text = self.apart(template, &scope, &globals)?;
        let module = Module { vars: scope.exports(), text, name };
        if !context {
            self.modules.insert(module.name.clone(), module.clone());
        }
        Ok(module)
    }

    /// Runs a template in a scope of its own.
    fn apart(
        &mut self,
        template: &Arc<Template>,
        scope: &Arc<Scope>,
        globals: &Arc<HashMap<Name, Value>>,
    ) -> Result<String, Failure> {
        let mut text = String::new();
        let back = (self.place.clone(), self.top.clone());
        let mut inner = Frame::new(Arc::clone(scope), globals);
        let parent = self.parent.take();
        self.template(template, &mut inner, &mut text)?;
        self.parent = parent;
        (self.place, self.top) = back;
        Ok(text)
    }

    fn data(
        &mut self,
        file: &Expr,
        filter: &Name,
        context: bool,
        frame: &Frame,
    ) -> Result<Value, Failure> {
        let value = self.eval(file, frame)?;
        let (template, name) = self.find(&value, false)?.ok_or_else(|| missing(&value))?;
        // What holds no tag is parsed once for all renders.
        let plain = match template.body.as_slice() {
            [] => Some(""),
            [Stmt { kind: StmtKind::Text(text), .. }] => Some(text.as_str()),
            _ => None,
        };
        if let (Some(plain), "load_yaml") = (plain, &**filter) {
            self.step(plain.len() / 8)?;
            if let Some(node) = self.engine.data(&template.file, plain) {
                return Ok(crate::render::python::from_yaml(&node));
            }
        }
        let text = self.ran(&template, name, context, frame)?.text;
        self.filter(filter, Value::from(text), Args::default())
    }

    fn include(
        &mut self,
        file: &Expr,
        context: bool,
        optional: bool,
        frame: &Frame,
        out: &mut String,
    ) -> Result<(), Failure> {
        let value = self.eval(file, frame)?;
        let (template, name) = match self.find(&value, true)? {
            Some(found) => found,
            None if optional => return Ok(()),
            None => return Err(missing(&value)),
        };
        let text = self.ran(&template, name, context, frame)?.text;
        if self.parent.is_none() || !frame.top {
            out.push_str(&text);
        }
        Ok(())
    }

    /// The template of a name, or of the first name of a list that is there.
    fn find(
        &mut self,
        value: &Value,
        many: bool,
    ) -> Result<Option<(Arc<Template>, String)>, Failure> {
        undefined::refuse(value)?;
        if value.as_str().is_some() || !super::ops::is_list(value) {
            return self.load(&text(value));
        }
        if !many {
            return Err(Failure::other("a template's name was expected, not a list"));
        }
        for name in super::ops::iterate(value)? {
            if let Some(found) = self.load(&text(&name))? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Reads a file of the tree by Salt's rule: `./` and `../` are beside the last one.
    fn load(&mut self, name: &str) -> Result<Option<(Arc<Template>, String)>, Failure> {
        if let Some(found) = self.loaded.get(name) {
            return Ok(Some((Arc::clone(found), name.to_owned())));
        }
        if self.loaded.len() >= FILES_MAX {
            return Err(Failure::other("the template brings in more than 2000 files"));
        }
        self.step(100)?;
        let relative = matches!(name.split('/').next(), Some("." | ".."));
        // What is no SLS stands nowhere, until it brings something in.
        let beside = self.globals.get("tpldir").map(text);
        let path = if relative {
            let path = beside.as_ref().and_then(|beside| normal(&format!("{beside}/{name}")));
            let Some(path) = path else { return Ok(None) };
            path
        } else if name.starts_with(['/', '|']) || name.starts_with("salt://") || name.ends_with('/')
        {
            // Not a path from the top of the tree.
            return Ok(None);
        } else {
            name.to_owned()
        };
        let found = self.engine.file(&path, &self.options).map_err(|unread| match unread {
            Unread::Data(failure) => failure,
            Unread::Syntax(Syntax { line, reason }) => {
                self.place = Place { file: Name::from(&*path), line };
                self.top = self.place.clone();
                Failure::syntax(reason)
            }
        });
        let Some(template) = found? else { return Ok(None) };
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder.trim_end_matches('/'));
        let beside = beside.unwrap_or_default();
        let folder = if relative { beside.as_str() } else { folder };
        let shown = if folder.is_empty() { "." } else { folder };
        let told = if relative { name } else { path.as_str() };
        let vars = [
            ("tplfile", told.to_owned()),
            ("tpldir", shown.to_owned()),
            ("tpldot", folder.replace('/', ".")),
        ];
        let vars = vars.into_iter().map(|(name, value)| (Name::from(name), Value::from(value)));
        Arc::make_mut(&mut self.globals).extend(vars);
        self.loaded.insert(name.to_owned(), Arc::clone(&template));
        Ok(Some((template, name.to_owned())))
    }
}

fn missing(name: &Value) -> Failure {
    if name.as_str().is_none() && super::ops::is_list(name) {
        let names: Vec<String> =
            super::ops::iterate(name).unwrap_or_default().iter().map(text).collect();
        let names = names.join(", ");
        return Failure::other(format!("none of the templates given were found: {names}"));
    }
    Failure::other(module_text(name))
}

/// A path without `.` and `..`; `None` if it leaves the tree.
fn normal(path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}
