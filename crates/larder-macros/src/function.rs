//! The annotated function: what it returns, what it takes, and where its body is.

mod bindings;
mod boxed;
mod types;

use proc_macro2::{Span, TokenStream};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::{
    Attribute, Expr, FnArg, GenericParam, Ident, ItemFn, Pat, PatIdent, ReceiverKind, ReturnType, Safety,
    Stmt, TraitItemFn, Type, parse_quote,
};

use self::bindings::bindings;
use crate::args::Macro;
use crate::errors::Errors;
use crate::surroundings::{self, Surroundings};
use crate::tokens;

pub(crate) use boxed::{Boxed, async_block};
pub(crate) use types::{
    Ownership, borrows_error, borrows_value, has_impl_trait, holds_static_reference, is_reference,
    pins_or_borrows,
};

/// A function: async, what `#[async_trait]` made of such a one, or neither.
pub(crate) struct Function {
    pub(crate) item: ItemFn,
    pub(crate) form: Form,
    /// What it returns, or what its future resolves to.
    pub(crate) output: Type,
    /// The stream that it returns, if it does; `output` is the type of its items then.
    pub(crate) stream: Option<Type>,
    pub(crate) receiver: Option<Receiver>,
    pub(crate) arguments: Vec<Argument>,
    /// Whether it stands in an `impl` or a trait, as far as anything tells: its file, its tokens, or the attribute's.
    pub(crate) associated: bool,
    pub(crate) surroundings: Surroundings,
}

pub(crate) enum Form {
    /// `async fn`
    Async,
    /// `fn` that returns `Box::pin(async move { … })`.
    Boxed(Boxed),
    /// Any other `fn`: it runs on its caller's thread.
    Blocking,
}

#[derive(Clone)]
pub(crate) struct Receiver {
    /// `self`, or the local that `#[async_trait]` put in its place.
    pub(crate) ident: Ident,
    pub(crate) ownership: Ownership,
    pub(crate) ty: Option<Type>,
    pub(crate) span: Span,
}

#[derive(Clone)]
pub(crate) struct Argument {
    /// Its place among the inputs, the receiver included.
    pub(crate) index: usize,
    pub(crate) pattern: Pat,
    pub(crate) bindings: Vec<Ident>,
    pub(crate) ty: Type,
    pub(crate) ownership: Ownership,
    /// `#[cfg]`s on the argument.
    pub(crate) cfgs: Vec<Attribute>,
}

impl Argument {
    /// The name, if the pattern is no more than a name.
    pub(crate) fn name(&self) -> Option<&Ident> {
        match &self.pattern {
            Pat::Ident(PatIdent { ident, subpat: None, by_ref: None, .. }) => Some(ident),
            _ => None,
        }
    }

    pub(crate) fn binds(&self, name: &str) -> Option<&Ident> {
        self.bindings.iter().find(|binding| binding.unraw() == name)
    }
}

impl Function {
    /// Reads the item under the attribute. Without a function there is nothing more to check.
    pub(crate) fn parse(item: TokenStream, of: &str, errors: &mut Errors) -> Option<Self> {
        let item = match syn::parse2::<ItemFn>(item.clone()) {
            Ok(item) => item,
            Err(error) => {
                errors.add(not_a_function(item, of, error));
                return None;
            }
        };
        if !matches!(item.sig.safety, Safety::Default) {
            let message = format!("`{of}` cannot stand on an unsafe function: wrap it in a safe one");
            errors.push(item.sig.safety.span(), message);
        }
        let (form, output) = form(&item, of, errors)?;
        let writes = [Macro::Invalidate.name(), Macro::CachePut.name()].contains(&of);
        if writes && types::is_stream(&output) {
            let message = format!(
                "`{of}` would be done before the stream is polled, and its items come after that: put it on what polls the \
                 stream to its end"
            );
            errors.push(output.span(), message);
        }
        let keeps = [Macro::Cached.name(), Macro::CachedMany.name()].contains(&of);
        if keeps && types::is_stream(&output) && types::result_of(&output).is_some() {
            let message = format!(
                "`{of}` keeps the items of a stream that is returned alone: return `impl Stream<Item = Result<T, E>>`, or a \
                 `Result<Vec<T>, E>` of the items"
            );
            errors.push(output.span(), message);
        }
        let items = types::stream_items(&output).filter(|_| of == Macro::Cached.name()).cloned();
        let (output, stream) = match items {
            Some(items) => (items, Some(output)),
            None => (output, None),
        };
        let surroundings = surroundings::of(&item.sig.ident);
        let associated = surroundings.place.is_associated()
            || tokens::names_self_type(&item)
            || boxed::is_async_trait(&item.sig);
        let mut function = Self {
            receiver: None,
            arguments: Vec::new(),
            item,
            form,
            output,
            stream,
            associated,
            surroundings,
        };
        function.read_inputs();
        function.associated |= function.receiver.is_some();
        Some(function)
    }

    fn read_inputs(&mut self) {
        for (index, input) in self.item.sig.inputs.iter().enumerate() {
            match input {
                FnArg::Receiver(receiver) => {
                    let (ownership, ty) = match &receiver.kind {
                        ReceiverKind::Reference(_, _, Some(_)) => (Ownership::Exclusive, None),
                        ReceiverKind::Reference(_, _, None) => (Ownership::Shared, None),
                        ReceiverKind::Typed(_, ty) => (types::ownership(ty), Some((**ty).clone())),
                        _ => (Ownership::Owned, None),
                    };
                    self.receiver = Some(Receiver {
                        ident: Ident::new("self", receiver.self_token.span),
                        ownership,
                        ty,
                        span: receiver.span(),
                    });
                }
                FnArg::Typed(typed) => self.arguments.push(Argument {
                    index,
                    pattern: (*typed.pat).clone(),
                    bindings: bindings(&typed.pat),
                    ty: (*typed.ty).clone(),
                    ownership: types::ownership(&typed.ty),
                    cfgs: cfgs(&typed.attrs),
                }),
            }
        }
        if let Form::Boxed(boxed) = &self.form {
            if let (Some(receiver), Some(local)) = (&mut self.receiver, &boxed.receiver) {
                receiver.ident = local.clone();
            }
            for argument in &mut self.arguments {
                if let Some(pattern) = argument.name().and_then(|name| boxed.pattern_of(name)) {
                    argument.bindings = bindings(pattern);
                    argument.pattern = pattern.clone();
                }
            }
        }
    }

    /// An expression from the attribute, where `self` may have another name.
    pub(crate) fn localized(&self, mut expr: Expr) -> Expr {
        if let Some(receiver) = &self.receiver
            && receiver.ident != "self"
        {
            tokens::rename_self_in_expr(&mut expr, &receiver.ident);
        }
        expr
    }

    /// Its name as text.
    pub(crate) fn name(&self) -> String {
        self.item.sig.ident.unraw().to_string()
    }

    /// Whether it runs on its caller's thread, to its end. A stream is polled.
    pub(crate) fn is_blocking(&self) -> bool {
        !self.awaits() && self.stream.is_none()
    }

    /// Whether a call of it is awaited.
    pub(crate) fn awaits(&self) -> bool {
        !matches!(self.form, Form::Blocking)
    }

    pub(crate) fn is_boxed(&self) -> bool {
        matches!(self.form, Form::Boxed(_))
    }

    /// Type and const parameters, which count as arguments.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = (&Ident, bool)> {
        self.item.sig.generics.params.iter().filter_map(|param| match param {
            GenericParam::Type(param) => Some((&param.ident, true)),
            GenericParam::Const(param) => Some((&param.ident, false)),
            GenericParam::Lifetime(_) => None,
        })
    }

    /// Whether a type in a key is `Self`, or a parameter of the `impl` or the trait around the function. Where that cannot
    /// be read, any type may be one that is no parameter of the function.
    pub(crate) fn may_be_around(&self, name: &Ident) -> bool {
        let own = self.parameters().any(|(parameter, _)| parameter == name);
        let around = self.surroundings.parameters.as_ref();
        !own && (name == "Self" || around.is_none_or(|around| around.iter().any(|known| name == known)))
    }

    /// The statements of the body, without what `#[async_trait]` put in front.
    pub(crate) fn body(&self) -> &[Stmt] {
        match &self.form {
            Form::Async | Form::Blocking => &self.item.block.stmts,
            Form::Boxed(boxed) => &boxed.body,
        }
    }
}

/// `#[cfg]`s, which whatever is made for the annotated thing must share.
pub(crate) fn cfgs(attrs: &[Attribute]) -> Vec<Attribute> {
    attrs.iter().filter(|attr| attr.path().is_ident("cfg")).cloned().collect()
}

fn form(item: &ItemFn, of: &str, errors: &mut Errors) -> Option<(Form, Type)> {
    let output = match &item.sig.output {
        ReturnType::Default => parse_quote!(()),
        ReturnType::Type(_, ty) => (**ty).clone(),
    };
    if item.sig.asyncness.is_some() {
        return Some((Form::Async, output));
    }
    if let Some(token) = &item.sig.constness {
        errors.push(token.span, format!("`{of}` cannot stand on a const function: remove `const`"));
        return None;
    }
    if let Some(output) = boxed::output(&item.sig.output) {
        if let Some(boxed) = Boxed::find(item) {
            if let Some(statement) = boxed::outside(item) {
                let message = format!(
                    "`{of}` is about what runs in the future: write this statement inside the `async move {{ … }}`; in \
                     front of it there is room for items, and for clones of arguments (`let name = name.clone();`)"
                );
                errors.push(statement.span(), message);
            }
            return Some((Form::Boxed(boxed), output));
        }
        let message = format!(
            "`{of}` needs to see the body: write an `async fn`, or end this function with `async move {{ … }}`, alone or in \
             `Box::pin(…)`"
        );
        errors.push(item.sig.ident.span(), message);
        return None;
    }
    if types::is_named(&output, "Poll") {
        let message = format!(
            "`{of}` keeps values, and a `Poll` may be none yet: put it on the `async fn` that is polled"
        );
        errors.push(output.span(), message);
        return None;
    }
    if types::is_future(&output) {
        let name = &item.sig.ident;
        let otherwise = match types::is_associated(&output, "Future") {
            true => {
                ", or write its type out, `Pin<Box<dyn Future<Output = …> + Send>>`, and end with `Box::pin(async move { … })`"
            }
            false => "",
        };
        let message = format!(
            "`{of}` needs to see what the future gives, and where it is made: write `async fn {name}`, which returns \
             that{otherwise}"
        );
        errors.push(output.span(), message);
        return None;
    }
    Some((Form::Blocking, output))
}

fn not_a_function(item: TokenStream, of: &str, error: syn::Error) -> syn::Error {
    if let Ok(method) = syn::parse2::<TraitItemFn>(item.clone())
        && method.default.is_none()
    {
        let message = format!(
            "`{of}` needs a body: put it on the method in each `impl`, or give this one a default \
             body"
        );
        return syn::Error::new(method.sig.ident.span(), message);
    }
    match syn::parse2::<syn::Item>(item) {
        Ok(other) => {
            let message = format!("expected a function under `{of}`");
            syn::Error::new(other.span(), message)
        }
        Err(_) => error,
    }
}
