//! `each = id in ids`: a function of a list, whose key is that of one element.

use proc_macro2::Span;
use syn::spanned::Spanned as _;
use syn::{FnArg, GenericArgument, Ident, PathArguments, Type, parse_quote};

use crate::args::{Args, Elements, Given, attribute_span};
use crate::errors::Errors;
use crate::function::{Argument, Form, Function, Ownership};
use crate::suggest;

/// The list that a function is called with.
pub(crate) struct List {
    /// The same function of one element in place of the list: what the key and its companions are made for.
    pub(crate) of_one: Function,
    /// Its place in `Function::arguments`.
    pub(crate) index: usize,
    pub(crate) element: Ident,
    pub(crate) element_type: Type,
    /// Its type, without a reference in front.
    pub(crate) list_type: Type,
    pub(crate) is_borrowed: bool,
    pub(crate) order: Order,
}

/// In which order a list has its elements.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// In the one that they were put into it.
    Given,
    /// In their own.
    Sorted,
    /// In another one for each set of the same elements.
    None,
}

impl Order {
    fn of(list: &Type) -> Self {
        match list {
            Type::Group(group) => Self::of(&group.elem),
            Type::Paren(paren) => Self::of(&paren.elem),
            Type::Path(path) => match path.path.segments.last() {
                Some(last) if last.ident == "HashSet" => Self::None,
                Some(last) if last.ident == "BTreeSet" => Self::Sorted,
                _ => Self::Given,
            },
            _ => Self::Given,
        }
    }

    /// The function of `larder::private` that takes an output for that of such a list.
    pub(crate) fn function(self) -> &'static str {
        match self {
            Self::Given => "of_many",
            Self::Sorted => "of_btree_set",
            Self::None => "of_hash_set",
        }
    }
}

const TYPES: &str = "`&[T]`, `Vec<T>`, `HashSet<T>` or `BTreeSet<T>`, or a reference to one of them";

/// None only if there were errors.
pub(super) fn list(args: &mut Args, function: &Function, errors: &mut Errors) -> Option<List> {
    let Some(Given { value: Elements { element, list }, .. }) = args.each.take() else {
        if !args.attempted("each") {
            errors.push(
                attribute_span(),
                "`each` is missing: the argument that is the list, and a name for its elements, as in \
                 `each = id in ids`, with `<id>` in the key",
            );
        }
        return None;
    };
    check_function(function, &list, errors);
    check_tags(args, &element, errors);
    let Some(index) = function.arguments.iter().position(|argument| argument.name() == Some(&list)) else {
        errors.push(list.span(), unknown(&list, function));
        return None;
    };
    let argument = &function.arguments[index];
    if function
        .arguments
        .iter()
        .any(|other| other.index != argument.index && other.binds(&element.to_string()).is_some())
    {
        let message = format!("`{element}` is an argument too: give the elements another name");
        errors.push(element.span(), message);
        return None;
    }
    let (list_type, is_borrowed) = match &argument.ty {
        Type::Reference(reference) => ((*reference.elem).clone(), true),
        other => (other.clone(), false),
    };
    let Some(element_type) = element_type(&list_type) else {
        let message = format!("`each` goes through a list that shows the type of its elements: {TYPES}");
        errors.push(argument.ty.span(), message);
        return None;
    };
    let of_one = of_one(function, index, &element, &element_type);
    let order = Order::of(&list_type);
    Some(List { of_one, index, element, element_type, list_type, is_borrowed, order })
}

fn element_type(list: &Type) -> Option<Type> {
    match list {
        Type::Slice(slice) => Some((*slice.elem).clone()),
        Type::Group(group) => element_type(&group.elem),
        Type::Paren(paren) => element_type(&paren.elem),
        Type::Path(path) => {
            let last = path.path.segments.last()?;
            let is_list = ["Vec", "HashSet", "BTreeSet"].iter().any(|name| last.ident == name);
            let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
            match arguments.args.first()? {
                GenericArgument::Type(element) if is_list => Some(element.clone()),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The function with one element in the place of the list, without what stands in its body.
fn of_one(function: &Function, index: usize, element: &Ident, ty: &Type) -> Function {
    let mut item = function.item.clone();
    let mut arguments = function.arguments.clone();
    let argument = &mut arguments[index];
    if let Some(FnArg::Typed(typed)) = item.sig.inputs.get_mut(argument.index) {
        *typed.pat = parse_quote!(#element);
        *typed.ty = ty.clone();
    }
    *argument = Argument {
        pattern: parse_quote!(#element),
        bindings: vec![element.clone()],
        ty: ty.clone(),
        ownership: Ownership::Owned,
        ..argument.clone()
    };
    Function {
        item,
        form: Form::Async,
        stream: None,
        output: function.output.clone(),
        receiver: function.receiver.clone(),
        arguments,
        associated: function.associated,
        surroundings: function.surroundings.clone(),
    }
}

/// Reports what a body that may run twice cannot have.
fn check_function(function: &Function, list: &Ident, errors: &mut Errors) {
    if function.is_blocking() {
        let name = function.name();
        errors.push(
            function.item.sig.ident.span(),
            format!("`#[cached_many]` needs an async function: write `async fn {name}`, or call a cached function for each element"),
        );
    }
    let twice =
        "the body runs a second time if another caller's computation, which it waited for, came to nothing";
    let mut report = |span: Span, what: &str| errors.push(span, format!("{twice}: {what}"));
    if let Some(receiver) = &function.receiver
        && receiver.ownership != Ownership::Shared
    {
        report(receiver.span, "take `&self`");
    }
    for argument in &function.arguments {
        if argument.ownership == Ownership::Exclusive && argument.name() != Some(list) {
            report(argument.ty.span(), "it cannot have a `&mut`; take a pool, or an `Arc<Mutex<…>>`");
        }
    }
}

/// Reports tags of an element.
fn check_tags(args: &mut Args, element: &Ident, errors: &mut Errors) {
    args.tags.retain(|tag| {
        let text = tag.value();
        let names = |end: char| text.contains(&format!("<{element}{end}"));
        let is_of_element = names('>') || names('.') || names(':');
        if is_of_element {
            errors.push(
                tag.span(),
                format!("the tags of a batch are those of all its elements: one that names `{element}` is no more than the key is"),
            );
        }
        !is_of_element
    });
}

fn unknown(name: &Ident, function: &Function) -> String {
    let known: Vec<String> =
        function.arguments.iter().filter_map(|argument| Some(argument.name()?.to_string())).collect();
    match suggest::nearest(&name.to_string(), known.iter().map(String::as_str)) {
        Some(near) => format!("`{name}` is no argument of this function: did you mean `{near}`?"),
        None => format!(
            "`{name}` is no argument of this function: `each` goes through one that is a list ({TYPES})"
        ),
    }
}
