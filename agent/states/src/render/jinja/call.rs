//! Calls: macros, methods, Jinja's own functions, and `salt[...]`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use indexmap::IndexMap;
use minijinja::ErrorKind;
use minijinja::value::{Value, ValueKind};

use super::args::Args;
use super::ast::{Expr, Name};
use super::eval::attribute;
use super::failure::Failure;
use super::objects::{Bound, Builtin, Cycler, Joiner, Loop, Macro, Namespace};
use super::run::{Frame, Run};
use super::scope::Scope;
use super::{ops, undefined};
use crate::render::methods;
use crate::render::python::{self, alike, deep, dict, fault, identity, pairs};

impl Run<'_> {
    /// The value of a call; `caller` is the body of a `{% call %}`.
    pub(super) fn eval_call(
        &mut self,
        call: &Expr,
        frame: &Frame,
        caller: Option<Value>,
    ) -> Result<Value, Failure> {
        let Expr::Call(function, args) = call else {
            return self.eval(call, frame);
        };
        // A method is not made a value first, as it is called at once.
        if let Expr::Attr(of, name) = &**function {
            if let Expr::Name(own) = &**of
                && &**own == "self"
                && let Some(block) = frame.blocks.get(name).and_then(|all| all.first())
            {
                let mut out = String::new();
                let block = Arc::clone(block);
                self.block(&block, frame, &mut out)?;
                return Ok(Value::from(out));
            }
            let of = self.eval(of, frame)?;
            undefined::refuse(&of)?;
            if methods::has(&of, name) {
                let args = self.args(args, frame)?;
                return self.method(&of, name, &args);
            }
            let function = attribute(&of, name)?;
            let args = self.args(args, frame)?;
            if undefined::is(&function) && of.kind() == ValueKind::Map {
                let called = of.call_method(&mut self.state, name, &args.clone().into_values());
                match called {
                    Err(error) if error.kind() == ErrorKind::UnknownMethod => {}
                    other => return Ok(other?),
                }
            }
            return self.call(&function, args, caller);
        }
        if let Expr::Name(name) = &**function
            && &**name == "super"
            && frame.block.is_some()
        {
            return self.call_super(frame);
        }
        let function = self.eval(function, frame)?;
        let args = self.args(args, frame)?;
        self.call(&function, args, caller)
    }

    fn call_super(&mut self, frame: &Frame) -> Result<Value, Failure> {
        let Some((name, level)) = frame.block.clone() else {
            return Ok(undefined::name("super"));
        };
        let above = frame.blocks.get(&name).and_then(|all| all.get(level + 1)).cloned();
        let Some(block) = above else {
            return Err(Failure {
                class: super::failure::Class::Undefined,
                reason: format!("there is no parent block called '{name}'."),
            });
        };
        let mut inner = frame.inner();
        inner.block = Some((name, level + 1));
        let mut out = String::new();
        self.statements(&block.body, &inner, &mut out)?;
        Ok(Value::from(out))
    }

    pub(in crate::render) fn method(
        &mut self,
        of: &Value,
        name: &str,
        args: &Args,
    ) -> Result<Value, Failure> {
        self.step(1 + of.len().unwrap_or(0) / 8)?;
        let refused =
            !matches!(name, "get" | "append" | "update" | "setdefault" | "insert" | "pop");
        if refused {
            let named = args.named.iter().map(|(_, value)| value);
            args.plain.iter().chain(named).try_for_each(undefined::refuse)?;
        }
        let found = methods::call(of, name, args)?;
        self.charge(&found)?;
        Ok(found)
    }

    pub(in crate::render) fn call(
        &mut self,
        function: &Value,
        args: Args,
        caller: Option<Value>,
    ) -> Result<Value, Failure> {
        undefined::refuse(function)?;
        self.step(2)?;
        if let Some(own) = function.downcast_object::<Macro>() {
            return self.call_macro(&own, args, caller);
        }
        if let Some(bound) = function.downcast_object_ref::<Bound>() {
            return self.method(&bound.of, &bound.method, &args);
        }
        if let Some(builtin) = function.downcast_object_ref::<Builtin>() {
            return self.builtin(*builtin, args);
        }
        if let Some(own) = function.downcast_object_ref::<Loop>() {
            return self.again(own, args);
        }
        if let Some(own) = function.downcast_object_ref::<Joiner>() {
            let first = own.used.fetch_add(1, Ordering::Relaxed) == 0;
            return Ok(Value::from(if first { "" } else { own.by.as_str() }));
        }
        let kind = ops::type_name(function);
        let data = ["dict", "list", "tuple"].contains(&kind);
        if function.as_object().is_none() || (data && identity(function).is_some()) {
            return Err(Failure::other(format!("'{kind}' object is not callable")));
        }
        let named = args.named.iter().map(|(_, value)| value);
        args.plain.iter().chain(named).try_for_each(undefined::refuse)?;
        self.step(100)?;
        let found = function.call(&mut self.state, &args.into_values());
        let found = found.map_err(Failure::from)?;
        self.charge(&found)?;
        Ok(found)
    }

    fn again(&mut self, own: &Loop, args: Args) -> Result<Value, Failure> {
        let Some((parts, frame)) = own.again.clone() else {
            return Err(Failure::other(
                "The loop must have the 'recursive' marker to be called recursively.",
            ));
        };
        let items = args.must(0, "iterable")?;
        let mut out = String::new();
        self.run_loop(&parts, &items, &frame, own.depth + 1, &mut out)?;
        Ok(Value::from(out))
    }

    fn call_macro(
        &mut self,
        own: &Macro,
        args: Args,
        caller: Option<Value>,
    ) -> Result<Value, Failure> {
        let parts = &own.parts;
        let scope = Scope::new(Some(&own.frame.scope));
        let frame = Frame { scope: Arc::clone(&scope), top: false, ..own.frame.clone() };
        let back = (self.place.clone(), self.top.clone());
        let Args { mut plain, mut named } = args;
        let more = plain.split_off(plain.len().min(parts.params.len()));
        let given = plain.len();
        for (name, value) in parts.params.iter().zip(plain) {
            scope.set(name, value);
        }
        self.place.file = Name::clone(&own.file);
        let first = parts.params.len() - parts.defaults.len();
        for (at, name) in parts.params.iter().enumerate().skip(given) {
            let passed = named.iter().position(|(other, _)| other == name);
            let value = match (passed, at.checked_sub(first)) {
                (Some(passed), _) => named.swap_remove(passed).1,
                (None, Some(at)) => self.eval(&parts.defaults[at], &frame)?,
                (None, None) => undefined::new(format!("parameter '{name}' was not provided")),
            };
            scope.set(name, value);
        }
        self.extras(own, &scope, more, named, caller)?;
        let mut out = String::new();
        let parent = self.parent.take();
        self.statements(&parts.body, &frame, &mut out)?;
        self.parent = parent;
        (self.place, self.top) = back;
        Ok(Value::from(out))
    }

    /// `caller`, `varargs` and `kwargs` for a macro that asks for them; refuses what is too much.
    fn extras(
        &mut self,
        own: &Macro,
        scope: &Arc<Scope>,
        more: Vec<Value>,
        mut named: Vec<(Name, Value)>,
        caller: Option<Value>,
    ) -> Result<(), Failure> {
        let parts = &own.parts;
        let name = &parts.name;
        let names = &self.engine.names;
        if parts.uses.caller && !parts.params.contains(&names.caller) {
            let passed = named.iter().position(|(other, _)| *other == names.caller);
            let passed = passed.map(|at| named.swap_remove(at).1);
            let value = caller.or(passed).unwrap_or_else(|| undefined::new("No caller defined"));
            scope.set(&names.caller, value);
        } else if let Some(caller) = caller {
            if parts.params.contains(&names.caller) {
                scope.set(&names.caller, caller);
            } else if parts.uses.kwargs {
                named.push((Name::clone(&names.caller), caller));
            } else {
                return Err(Failure::other(format!(
                    "macro '{name}' was invoked with two values for the special caller \
                     argument. This is most likely a bug."
                )));
            }
        }
        if parts.uses.kwargs {
            let named = named.into_iter().map(|(name, value)| (Value::from(&*name), value));
            scope.set(&names.kwargs, dict(named.collect()));
        } else if let Some((other, _)) = named.first() {
            return Err(Failure::other(format!(
                "macro '{name}' takes no keyword argument '{other}'"
            )));
        }
        if parts.uses.varargs {
            let all = ops::tuple(more)?;
            scope.set(&names.varargs, all);
        } else if !more.is_empty() {
            let most = parts.params.len();
            return Err(Failure::other(format!(
                "macro '{name}' takes not more than {most} argument(s)"
            )));
        }
        Ok(())
    }

    fn builtin(&mut self, builtin: Builtin, args: Args) -> Result<Value, Failure> {
        let named = |args: &Args| -> Vec<(Value, Value)> {
            args.named.iter().map(|(name, value)| (Value::from(&**name), value.clone())).collect()
        };
        Ok(match builtin {
            Builtin::Range => range(&args)?,
            Builtin::Dict | Builtin::Namespace => {
                let mut map: IndexMap<Value, Value> = IndexMap::new();
                if let Some(first) = args.plain.first() {
                    undefined::refuse(first)?;
                    map.extend(methods::update_pairs(first)?);
                }
                map.extend(named(&args));
                if builtin == Builtin::Namespace {
                    Value::from_object(Namespace(map.into()))
                } else {
                    dict(map)
                }
            }
            Builtin::Cycler => {
                if args.plain.is_empty() {
                    return Err(Failure::other("at least one item has to be provided"));
                }
                Value::from_object(Cycler { items: args.plain, at: AtomicUsize::new(0) })
            }
            Builtin::Joiner => {
                let by = args.text_or(0, "sep", ", ");
                Value::from_object(Joiner { by, used: AtomicUsize::new(0) })
            }
            Builtin::Lipsum => {
                return Err(Failure::other("lipsum() is not supported: it is random text"));
            }
            Builtin::Raise => return Err(Failure::other(args.text(0, "msg")?)),
            Builtin::FullContext => {
                let all = self.globals.iter().filter(|(_, value)| {
                    !matches!(value.kind(), minijinja::value::ValueKind::Plain)
                });
                let all = all.map(|(name, value)| (Value::from(&**name), deep(value)));
                dict(all.collect())
            }
            Builtin::IfElse => {
                let salt = self.engine.env().globals().find(|(name, _)| *name == "salt");
                let salt = salt.map(|(_, salt)| salt).unwrap_or_default();
                let function = salt.get_item(&Value::from("match.ifelse")).unwrap_or_default();
                return self.call(&function, args, None);
            }
        })
    }
}

fn range(args: &Args) -> Result<Value, minijinja::Error> {
    let mut bounds = Vec::new();
    for value in &args.plain {
        undefined::refuse(value)?;
        bounds.push(value.as_i64().filter(|_| ops::type_name(value) != "float").ok_or_else(
            || {
                let kind = ops::type_name(value);
                fault(format!("'{kind}' object cannot be interpreted as an integer"))
            },
        )?);
    }
    let (start, stop, step) = match bounds.as_slice() {
        [stop] => (0, *stop, 1),
        [start, stop] => (*start, *stop, 1),
        [start, stop, step] => (*start, *stop, *step),
        _ => return Err(fault("range expected 1 to 3 arguments")),
    };
    if step == 0 {
        return Err(fault("range() arg 3 must not be zero"));
    }
    let count = (i128::from(stop) - i128::from(start)) / i128::from(step);
    // Jinja's sandbox has the same limit.
    if count > 100_000 {
        return Err(fault(
            "Range too big. The sandbox blocks ranges larger than MAX_RANGE (100000).",
        ));
    }
    let mut all = Vec::new();
    let mut at = start;
    while (step > 0 && at < stop) || (step < 0 && at > stop) {
        all.push(Value::from(at));
        let Some(next) = at.checked_add(step) else { break };
        at = next;
    }
    Ok(python::range(all, [start, stop, step]))
}

/// Used by methods that copy a mapping.
pub(in crate::render) fn copied(value: &Value) -> Value {
    alike(value, pairs(value).into_iter().collect())
}
