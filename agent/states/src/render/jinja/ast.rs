//! What a template is once it is parsed: statements over expressions.

use std::sync::Arc;

use minijinja::value::Value;

pub(super) type Name = Arc<str>;

/// A parsed template.
#[derive(Debug)]
pub(in crate::render) struct Template {
    pub(super) file: Name,
    pub(super) body: Vec<Stmt>,
    pub(super) blocks: Vec<Arc<Block>>,
}

#[derive(Debug)]
pub(super) struct Stmt {
    pub(super) line: u32,
    pub(super) kind: StmtKind,
}

/// `if` or `elif`, and what runs when it holds.
#[derive(Debug)]
pub(super) struct Branch {
    /// Where its test is, if not where the whole statement is.
    pub(super) line: Option<u32>,
    pub(super) test: Expr,
    pub(super) body: Vec<Stmt>,
}

#[derive(Debug)]
pub(super) enum StmtKind {
    Text(String),
    Print(Expr),
    For(Arc<For>),
    If(Vec<Branch>, Vec<Stmt>),
    Set(Target, Expr),
    SetBlock(Target, Vec<(Name, Arguments)>, Vec<Stmt>),
    With(Vec<(Target, Expr)>, Vec<Stmt>),
    Macro(Arc<Macro>),
    Call(Arc<Macro>, Expr),
    Filter(Vec<(Name, Arguments)>, Vec<Stmt>),
    Import { file: Expr, target: Name, context: bool },
    From { file: Expr, names: Vec<(Name, Name)>, context: bool },
    Data { file: Expr, target: Name, context: bool, filter: Name },
    Include { file: Expr, context: bool, optional: bool },
    Extends(Expr),
    Block(Arc<Block>),
    Group(Vec<Stmt>),
    Do(Expr),
    Break,
    Continue,
}

#[derive(Debug)]
pub(super) struct For {
    pub(super) target: Target,
    pub(super) items: Expr,
    /// Which items count, and where that is said.
    pub(super) test: Option<(u32, Expr)>,
    pub(super) recursive: bool,
    pub(super) body: Vec<Stmt>,
    pub(super) otherwise: Vec<Stmt>,
    /// Whether the body may ask for `loop`.
    pub(super) uses_loop: bool,
}

#[derive(Debug)]
pub(super) struct Block {
    pub(super) name: Name,
    pub(super) body: Vec<Stmt>,
    pub(super) required: bool,
    pub(super) scoped: bool,
}

#[derive(Debug)]
pub(super) struct Macro {
    pub(super) name: Name,
    pub(super) params: Vec<Name>,
    /// Defaults of the last parameters.
    pub(super) defaults: Vec<Expr>,
    pub(super) body: Vec<Stmt>,
    pub(super) uses: Uses,
}

/// Which of the names that every macro has its body asks for.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Uses {
    pub(super) caller: bool,
    pub(super) varargs: bool,
    pub(super) kwargs: bool,
}

#[derive(Debug, Clone)]
pub(super) enum Target {
    Name(Name),
    Attr(Name, Name),
    Many(Vec<Target>),
}

#[derive(Debug, Default)]
pub(super) struct Arguments {
    pub(super) plain: Vec<Expr>,
    pub(super) named: Vec<(Name, Expr)>,
    pub(super) star: Option<Box<Expr>>,
    pub(super) stars: Option<Box<Expr>>,
}

#[derive(Debug)]
pub(super) enum Expr {
    Const(Value),
    Name(Name),
    List(Vec<Expr>),
    Tuple(Vec<Expr>),
    Dict(Vec<(Expr, Expr)>),
    Attr(Box<Expr>, Name),
    Item(Box<Expr>, Box<Expr>),
    Slice(Box<Expr>, Box<[Option<Expr>; 3]>),
    Call(Box<Expr>, Arguments),
    Filter(Box<Expr>, Name, Arguments),
    Test { of: Box<Expr>, name: Name, args: Arguments, negated: bool },
    Neg(Box<Expr>),
    Pos(Box<Expr>),
    Not(Box<Expr>),
    Math(Math, Box<Expr>, Box<Expr>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Compare(Box<Expr>, Vec<(Compare, Expr)>),
    Concat(Vec<Expr>),
    If { test: Box<Expr>, then: Box<Expr>, otherwise: Option<Box<Expr>> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Math {
    Add,
    Sub,
    Mul,
    Div,
    FloorDiv,
    Rem,
    Pow,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compare {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    In,
    NotIn,
}
