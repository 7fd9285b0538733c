//! One render: runs the statements of a template, within limits.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use minijinja::value::Value;
use minijinja::{Error, State};

use super::ast::{Block, Branch, For, Name, Stmt, StmtKind, Target, Template};
use super::failure::Failure;
use super::objects::{Loop, Macro, Module, Namespace};
use super::ops::{self, truth};
use super::scope::Scope;
use super::{Engine, Options, args::Args};
use crate::host::command::Cancel;
use crate::render::python::{fault, printed, was_cut};

/// Steps that one render may take: some seconds of work.
const FUEL_MAX: u64 = 10_000_000;
/// After how many steps a template looks whether it still has to go on.
const HEEDS: u64 = 4096;
/// Bytes of text that one render may make, thrown away or not.
const BYTES_MAX: u64 = 256 << 20;
/// Stack that one render may use; a thread has at least twice as much.
const STACK_MAX: usize = 900 << 10;

thread_local! {
    /// Steps that are left to the outermost render of this thread.
    static FUEL: Cell<u64> = const { Cell::new(0) };
    /// Bytes of text that it made.
    static BYTES: Cell<u64> = const { Cell::new(0) };
    /// Where the stack stood when it began.
    static BASE: Cell<usize> = const { Cell::new(0) };
    /// Renders that run inside each other.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// A place in a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) file: Name,
    pub(super) line: u32,
}

/// Blocks by name: the one that counts first, then those it overrides.
pub(super) type Blocks = HashMap<Name, Vec<Arc<Block>>>;

/// Where statements run.
#[derive(Clone)]
pub(super) struct Frame {
    pub(super) scope: Arc<Scope>,
    /// The scope of the template itself: what it exports.
    pub(super) root: Arc<Scope>,
    pub(super) blocks: Arc<Blocks>,
    /// The block that runs, and how many it is above the first.
    pub(super) block: Option<(Name, usize)>,
    /// Whether this is neither a macro nor a block: text here shows only without `extends`.
    pub(super) top: bool,
    pub(super) loops: usize,
    /// The globals as they were when the template began.
    pub(super) globals: Arc<HashMap<Name, Value>>,
}

impl Frame {
    pub(super) fn new(scope: Arc<Scope>, globals: &Arc<HashMap<Name, Value>>) -> Frame {
        let root = Arc::clone(&scope);
        Frame {
            scope,
            root,
            blocks: Arc::default(),
            block: None,
            top: true,
            loops: 0,
            globals: Arc::clone(globals),
        }
    }

    /// The same in a scope of its own.
    pub(super) fn inner(&self) -> Frame {
        Frame { scope: Scope::new(Some(&self.scope)), ..self.clone() }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Flow {
    On,
    Break,
    Continue,
}

pub(in crate::render) struct Run<'e> {
    pub(super) engine: &'e Engine,
    pub(super) state: State<'e, 'e>,
    pub(super) globals: Arc<HashMap<Name, Value>>,
    pub(super) loaded: HashMap<String, Arc<Template>>,
    /// What files came to that were imported without context.
    pub(super) modules: HashMap<String, Module>,
    pub(super) place: Place,
    pub(super) top: Place,
    /// The file that is rendered, which has no name in Jinja's errors.
    pub(super) main: Name,
    holders: Vec<Arc<Scope>>,
    pub(super) parent: Option<Arc<Template>>,
    pub(super) options: Options,
}

impl Drop for Run<'_> {
    /// Macros hold the scopes that hold them: a render that is over lets go of all.
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get().saturating_sub(1));
        for scope in &self.holders {
            scope.clear();
        }
    }
}

/// About where the stack stands.
fn stack() -> usize {
    let here = 0_u8;
    std::ptr::from_ref(&here).addr()
}

impl<'e> Run<'e> {
    pub(super) fn new(engine: &'e Engine, file: &str, globals: HashMap<Name, Value>) -> Run<'e> {
        let place = Place { file: Name::from(file), line: 0 };
        // A template that a function of a template renders shares its limits.
        if DEPTH.get() == 0 {
            FUEL.set(FUEL_MAX);
            BYTES.set(0);
            BASE.set(stack());
            was_cut();
        }
        DEPTH.set(DEPTH.get() + 1);
        Run {
            engine,
            state: engine.env.empty_state(),
            globals: Arc::new(globals),
            main: Name::from(file),
            loaded: HashMap::new(),
            modules: HashMap::new(),
            top: place.clone(),
            place,
            holders: Vec::new(),
            parent: None,
            options: Options::default(),
        }
    }

    pub(in crate::render) fn host(&self) -> &'e crate::host::Host {
        &self.engine.host
    }

    /// Takes one step, `weight` times as heavy as a small one.
    pub(in crate::render) fn step(&mut self, weight: usize) -> Result<(), Error> {
        let weight = u64::try_from(weight).unwrap_or(u64::MAX).saturating_add(1);
        let before = FUEL.get();
        let fuel = before.checked_sub(weight);
        FUEL.set(fuel.unwrap_or(0));
        let Some(fuel) = fuel else {
            return Err(fault("the template takes too many steps: it ran out of fuel"));
        };
        if before / HEEDS != fuel / HEEDS && Cancel::in_force().is_cancelled() {
            return Err(fault("the run was cancelled"));
        }
        if BASE.get().abs_diff(stack()) > STACK_MAX {
            return Err(fault("the template nests too deep: a macro or an include calls itself"));
        }
        Ok(())
    }

    /// Counts text that was made.
    pub(in crate::render) fn made(&mut self, bytes: usize) -> Result<(), Error> {
        BYTES.set(BYTES.get().saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX)));
        if was_cut() {
            return Err(ops::too_large());
        }
        if BYTES.get() > BYTES_MAX {
            return Err(fault("the template makes more than 256 MiB of text"));
        }
        Ok(())
    }

    fn emit(&mut self, out: &mut String, text: &str) -> Result<(), Failure> {
        self.made(text.len())?;
        out.push_str(text);
        Ok(())
    }

    /// Runs a whole template, its parents included.
    pub(super) fn template(
        &mut self,
        template: &Arc<Template>,
        frame: &mut Frame,
        out: &mut String,
    ) -> Result<(), Failure> {
        let mut blocks = Blocks::clone(&frame.blocks);
        let outer = self.parent.take();
        let mut current = Arc::clone(template);
        loop {
            self.step(1)?;
            for block in &current.blocks {
                blocks.entry(Name::clone(&block.name)).or_default().push(Arc::clone(block));
            }
            frame.blocks = Arc::new(blocks.clone());
            let back = std::mem::replace(&mut self.place.file, Name::clone(&current.file));
            self.statements(&current.body, frame, out)?;
            self.place.file = back;
            match self.parent.take() {
                Some(parent) => current = parent,
                None => break,
            }
        }
        self.parent = outer;
        Ok(())
    }

    fn chosen(
        &mut self,
        branches: &[Branch],
        otherwise: &[Stmt],
        frame: &Frame,
        out: &mut String,
    ) -> Result<Flow, Failure> {
        for branch in branches {
            if let Some(line) = branch.line {
                self.reach(line, frame);
            }
            let test = self.eval(&branch.test, frame)?;
            if truth(&test)? {
                return self.statements(&branch.body, frame, out);
            }
        }
        self.statements(otherwise, frame, out)
    }

    /// Notes where the render is, for its errors.
    fn reach(&mut self, line: u32, frame: &Frame) {
        self.place.line = line;
        if frame.block.is_none() {
            self.top = self.place.clone();
        }
    }

    pub(super) fn statements(
        &mut self,
        body: &[Stmt],
        frame: &Frame,
        out: &mut String,
    ) -> Result<Flow, Failure> {
        for stmt in body {
            self.reach(stmt.line, frame);
            self.step(0)?;
            let flow = self.statement(stmt, frame, out)?;
            if flow != Flow::On {
                return Ok(flow);
            }
        }
        Ok(Flow::On)
    }

    fn statement(&mut self, stmt: &Stmt, frame: &Frame, out: &mut String) -> Result<Flow, Failure> {
        match &stmt.kind {
            // What a child says outside its blocks does not show.
            StmtKind::Text(_) | StmtKind::Print(_) if self.parent.is_some() && frame.top => {}
            StmtKind::Text(text) => self.emit(out, text)?,
            StmtKind::Print(value) => {
                let value = self.eval(value, frame)?;
                let text = printed(&value)?;
                self.emit(out, &text)?;
            }
            StmtKind::If(branches, otherwise) => {
                return self.chosen(branches, otherwise, frame, out);
            }
            StmtKind::For(parts) => {
                let items = self.eval(&parts.items, frame)?;
                self.run_loop(parts, &items, frame, 0, out)?;
            }
            StmtKind::Set(target, value) => {
                let value = self.eval(value, frame)?;
                self.assign(target, value, &frame.scope)?;
            }
            StmtKind::SetBlock(target, filters, body) => {
                let text = self.captured(body, frame)?;
                let value = self.filters(Value::from(text), filters, frame)?;
                self.assign(target, value, &frame.scope)?;
            }
            StmtKind::Filter(filters, body) => {
                let text = self.captured(body, frame)?;
                let value = self.filters(Value::from(text), filters, frame)?;
                self.emit(out, &printed(&value)?)?;
            }
            StmtKind::With(pairs, body) => {
                let inner = frame.inner();
                for (target, value) in pairs {
                    let value = self.eval(value, frame)?;
                    self.assign(target, value, &inner.scope)?;
                }
                return self.statements(body, &inner, out);
            }
            StmtKind::Group(body) => return self.statements(body, frame, out),
            StmtKind::Macro(parts) => {
                let value = self.macro_value(parts, frame);
                frame.scope.set(&parts.name, value);
            }
            StmtKind::Call(parts, call) => {
                let caller = self.macro_value(parts, frame);
                let value = self.eval_call(call, frame, Some(caller))?;
                self.emit(out, &printed(&value)?)?;
            }
            StmtKind::Block(block) if self.parent.is_none() || !frame.top => {
                self.block(block, frame, out)?;
            }
            StmtKind::Block(_) => {}
            StmtKind::Do(value) => {
                self.eval(value, frame)?;
            }
            StmtKind::Break => return Ok(Flow::Break),
            StmtKind::Continue => return Ok(Flow::Continue),
            StmtKind::Import { .. }
            | StmtKind::From { .. }
            | StmtKind::Data { .. }
            | StmtKind::Include { .. }
            | StmtKind::Extends(_) => self.other_file(stmt, frame, out)?,
        }
        Ok(Flow::On)
    }

    /// The text of statements whose names stay their own.
    fn captured(&mut self, body: &[Stmt], frame: &Frame) -> Result<String, Failure> {
        let mut text = String::new();
        let outer = self.parent.take();
        self.statements(body, &frame.inner(), &mut text)?;
        self.parent = outer;
        Ok(text)
    }

    fn macro_value(&mut self, parts: &Arc<super::ast::Macro>, frame: &Frame) -> Value {
        self.holders.push(Arc::clone(&frame.scope));
        let file = Name::clone(&self.place.file);
        Value::from_object(Macro { parts: Arc::clone(parts), frame: frame.clone(), file })
    }

    pub(super) fn assign(
        &mut self,
        target: &Target,
        value: Value,
        scope: &Arc<Scope>,
    ) -> Result<(), Failure> {
        match target {
            Target::Name(name) => scope.set(name, value),
            Target::Attr(name, key) => {
                let of = scope.find(name).unwrap_or_default();
                let Some(of) = of.downcast_object_ref::<Namespace>() else {
                    return Err(Failure::syntax("cannot assign attribute on non-namespace object"));
                };
                let mut of = of.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                of.insert(Value::from(&**key), value);
            }
            Target::Many(targets) => {
                let values = ops::unpack(&value)?;
                if values.len() < targets.len() {
                    let (wanted, got) = (targets.len(), values.len());
                    return Err(fault(format!(
                        "not enough values to unpack (expected {wanted}, got {got})"
                    ))
                    .into());
                }
                if values.len() > targets.len() {
                    let wanted = targets.len();
                    return Err(
                        fault(format!("too many values to unpack (expected {wanted})")).into()
                    );
                }
                for (target, value) in targets.iter().zip(values) {
                    self.assign(target, value, scope)?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn run_loop(
        &mut self,
        parts: &Arc<For>,
        items: &Value,
        frame: &Frame,
        depth: usize,
        out: &mut String,
    ) -> Result<(), Failure> {
        let mut items = ops::iterate(items)?;
        self.step(items.len() / 8)?;
        let mut inner = frame.inner();
        inner.loops += 1;
        if let Some((line, test)) = &parts.test {
            self.reach(*line, frame);
            let mut kept = Vec::new();
            for item in items {
                self.step(1)?;
                self.assign(&parts.target, item.clone(), &inner.scope)?;
                let test = self.eval(test, &inner)?;
                if truth(&test)? {
                    kept.push(item);
                }
            }
            items = kept;
        }
        let items = Arc::new(items);
        let again = parts.recursive.then(|| (Arc::clone(parts), frame.clone()));
        let state = parts.uses_loop.then(|| {
            let (items, last) = (Arc::clone(&items), std::sync::Mutex::default());
            Arc::new(Loop { items, at: AtomicUsize::new(0), depth, last, again })
        });
        // Jinja takes the other way also if no round came to its end.
        let mut done = false;
        for (at, item) in items.iter().enumerate() {
            self.step(1)?;
            if Arc::strong_count(&inner.scope) > 1 {
                inner.scope = Scope::new(Some(&frame.scope));
            } else {
                inner.scope.clear();
            }
            if let Some(state) = &state {
                state.at.store(at, std::sync::atomic::Ordering::Relaxed);
                let state = Value::from_dyn_object(Arc::clone(state));
                inner.scope.set(&self.engine.names.of_loop, state);
            }
            self.assign(&parts.target, item.clone(), &inner.scope)?;
            match self.statements(&parts.body, &inner, out)? {
                Flow::Break => break,
                Flow::Continue => {}
                Flow::On => done = true,
            }
        }
        if !done {
            self.statements(&parts.otherwise, &frame.inner(), out)?;
        }
        Ok(())
    }

    pub(super) fn block(
        &mut self,
        block: &Arc<Block>,
        frame: &Frame,
        out: &mut String,
    ) -> Result<(), Failure> {
        let scope = if block.scoped { &frame.scope } else { &frame.root };
        let mut inner = Frame { scope: Scope::new(Some(scope)), top: false, ..frame.clone() };
        inner.block = Some((Name::clone(&block.name), 0));
        let chosen = frame.blocks.get(&block.name).and_then(|all| all.first()).unwrap_or(block);
        if chosen.required {
            return Err(Failure::syntax(format!("Required block '{}' not found", block.name)));
        }
        let chosen = Arc::clone(chosen);
        self.statements(&chosen.body, &inner, out)?;
        Ok(())
    }

    pub(super) fn filters(
        &mut self,
        mut value: Value,
        filters: &[(Name, super::ast::Arguments)],
        frame: &Frame,
    ) -> Result<Value, Failure> {
        for (name, args) in filters {
            let args: Args = self.args(args, frame)?;
            value = self.filter(name, value, args)?;
        }
        Ok(value)
    }
}
