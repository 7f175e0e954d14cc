//! Lists and conditions in `#[invalidate]`.

use syn::{Expr, Ident};

use super::text::{Piece, Root, Text, Value};
use crate::errors::Errors;
use crate::function::Function;
use crate::template::Step;
use crate::tokens;

/// A text of which there is one for each element of a list.
pub(crate) struct Each {
    /// The list: its last step is [`Step::Each`].
    pub(crate) list: Value,
    /// The text of one element.
    pub(crate) text: Text,
}

impl Each {
    /// If the text has a list, in which an element is called `element`.
    pub(crate) fn of(text: &Text, element: &Ident) -> Option<Self> {
        let mut list = None;
        let pieces = text.0.iter().cloned().map(|piece| match piece {
            Piece::Value(value) => match value.steps.iter().position(|step| *step == Step::Each) {
                Some(at) => {
                    list = Some(Value { steps: value.steps[..=at].to_vec(), digest: None, ..value.clone() });
                    let (root, ident) = (Root::Element, element.clone());
                    Piece::Value(Value { root, ident, steps: value.steps[at + 1..].to_vec(), ..value })
                }
                None => Piece::Value(value),
            },
            other => other,
        });
        let text = Text(pieces.collect());
        Some(Self { list: list?, text })
    }
}

/// Reports more than one list, and a list of an argument beside the result.
pub(super) fn check(text: &Text, errors: &mut Errors) {
    let lists: Vec<&Value> = text.values().filter(|value| value.steps.contains(&Step::Each)).collect();
    let several = lists.len() > 1
        || lists.iter().any(|list| list.steps.iter().filter(|step| **step == Step::Each).count() > 1);
    if let (true, Some(last)) = (several, lists.last()) {
        errors.push(
            last.span,
            "there is one list in a text: with two of them, collect the keys in the function",
        );
    } else if let Some(list) = lists.first()
        && list.root != Root::Result
        && text.names_result()
    {
        errors.push(
            list.span,
            "a text with `result` goes through a list in the result alone: an argument is there only before the \
             function has run",
        );
    }
}

/// `if = …`
pub(crate) struct Condition {
    pub(crate) expr: Expr,
    /// It names the function's result, and is looked at when there is one.
    pub(crate) of_result: bool,
}

impl Condition {
    pub(super) fn new(expr: Expr, function: &Function) -> Self {
        let is_argument = function.arguments.iter().any(|argument| argument.binds("result").is_some());
        let of_result = !is_argument && tokens::names_variable(&expr, "result");
        Self { expr: function.localized(expr), of_result }
    }
}
