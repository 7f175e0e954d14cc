//! Looking for names in tokens, and replacing `self`.

mod format;
mod variable;

use proc_macro2::{Group, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt as _;
use syn::visit_mut::{self, VisitMut};
use syn::{Block, Expr, Ident, Item, ItemFn, Macro, Path, Stmt};

pub(crate) use variable::names_variable;

use crate::walk::{self, Node};

/// Whether an identifier stands anywhere in the tokens.
pub(crate) fn mention(tokens: &impl ToTokens, name: &str) -> bool {
    any_ident(tokens.to_token_stream(), &|ident| ident.unraw() == name)
}

fn any_ident(tokens: TokenStream, wanted: &impl Fn(&Ident) -> bool) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => wanted(&ident),
        TokenTree::Group(group) => any_ident(group.stream(), wanted),
        _ => false,
    })
}

/// Whether a path of the tokens begins with this name, and goes on with one that is `wanted`.
pub(crate) fn begins_path(tokens: TokenStream, name: &str, wanted: &impl Fn(&str) -> bool) -> bool {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let is_colon = |at: Option<usize>| matches!(at.and_then(|at| tokens.get(at)), Some(TokenTree::Punct(colon)) if colon.as_char() == ':');
    tokens.iter().enumerate().any(|(at, token)| match token {
        TokenTree::Group(group) => begins_path(group.stream(), name, wanted),
        TokenTree::Ident(ident) if ident.unraw() == name && is_colon(Some(at + 1)) && is_colon(Some(at + 2)) => {
            // Not behind the `::` of a longer path.
            let in_path = is_colon(at.checked_sub(1)) && is_colon(at.checked_sub(2));
            !in_path && matches!(tokens.get(at + 3), Some(TokenTree::Ident(next)) if wanted(&next.unraw().to_string()))
        }
        _ => false,
    })
}

/// Whether a function names `Self`, which only functions in an `impl` or a trait can. Items inside its body
/// have a `Self` of their own.
pub(crate) fn names_self_type(function: &ItemFn) -> bool {
    let mut found = false;
    walk::in_function(function, |node| match node {
        Node::Path(path) => {
            found |= path.segments.first().is_some_and(|first| first.ident == "Self");
            true
        }
        Node::Macro(call) => {
            found |= mention(&call.tokens, "Self") && !mention(&call.tokens, "fn");
            false
        }
        Node::Item => false,
        _ => true,
    });
    found
}

/// Puts `local` in the place of `self`.
pub(crate) fn rename_self_in_expr(expr: &mut Expr, local: &Ident) {
    RenameSelf { local }.visit_expr_mut(expr);
}

/// Puts `local` in the place of `self`.
pub(crate) fn rename_self_in_body(body: &[Stmt], local: &Ident) -> Vec<Stmt> {
    let mut block = Block { brace_token: syn::token::Brace::default(), stmts: body.to_vec() };
    RenameSelf { local }.visit_block_mut(&mut block);
    block.stmts
}

struct RenameSelf<'a> {
    local: &'a Ident,
}

impl RenameSelf<'_> {
    fn ident(&self, ident: &mut Ident) {
        if ident == "self" {
            *ident = Ident::new(&self.local.to_string(), ident.span());
        }
    }

    /// Inside a macro call, where nothing is parsed.
    fn tokens(&self, tokens: TokenStream) -> TokenStream {
        let mut tokens = tokens.into_iter().peekable();
        let mut renamed = TokenStream::new();
        // The name of a macro that is called, when the `!` behind it has been seen.
        let (mut called, mut last) = (None, None);
        while let Some(mut token) = tokens.next() {
            let is_bang = matches!(&token, TokenTree::Punct(bang) if bang.as_char() == '!');
            let name = called.take();
            called = if is_bang { last.take() } else { None };
            last = None;
            match &mut token {
                TokenTree::Ident(ident) => {
                    last = Some(ident.to_string());
                    // `self::module` is a path.
                    let path = matches!(tokens.peek(), Some(TokenTree::Punct(next)) if next.as_char() == ':');
                    if !path {
                        self.ident(ident);
                    }
                }
                TokenTree::Group(group) => {
                    let inner = match name {
                        Some(name) => self.call(&name, group.stream()),
                        None => self.tokens(group.stream()),
                    };
                    let mut inner = Group::new(group.delimiter(), inner);
                    inner.set_span(group.span());
                    *group = inner;
                }
                TokenTree::Literal(_) | TokenTree::Punct(_) => {}
            }
            renamed.extend([token]);
        }
        renamed
    }

    /// The arguments of a macro: `println!("{self:?}")` names `self` inside a literal.
    fn call(&self, name: &str, tokens: TokenStream) -> TokenStream {
        let tokens = self.tokens(tokens);
        format::rename_captured(name, tokens, "self", &self.local.to_string())
    }
}

impl VisitMut for RenameSelf<'_> {
    fn visit_path_mut(&mut self, path: &mut Path) {
        if path.segments.len() == 1 && path.leading_colon.is_none() {
            self.ident(&mut path.segments[0].ident);
        }
        visit_mut::visit_path_mut(self, path);
    }

    // An item inside the body has a `self` of its own.
    fn visit_item_mut(&mut self, _: &mut Item) {}

    fn visit_macro_mut(&mut self, call: &mut Macro) {
        if !any_ident(call.tokens.clone(), &|ident| ident == "fn") {
            let name = call.path.segments.last().map(|last| last.ident.to_string()).unwrap_or_default();
            call.tokens = self.call(&name, std::mem::take(&mut call.tokens));
        }
    }
}

#[cfg(test)]
mod tests {
    use quote::quote;
    use syn::parse_quote;

    use super::*;

    fn renamed(block: &Block) -> String {
        let local = Ident::new("this", proc_macro2::Span::call_site());
        let stmts = rename_self_in_body(&block.stmts, &local);
        quote!(#(#stmts)*).to_string()
    }

    #[test]
    fn self_is_renamed_in_code_and_macros() {
        let block = parse_quote!({
            println!("{} {self:?} {x}", self.x, x = self.f(self::module::g));
            write!(out, "{self}{{self}}{{{self}}}")?;
            assert_eq!("{self}", self.name, "of {self} {}", "{self}");
            tracing::info!(target: "{self}", name = "{self}", id = 3, "done: {self}");
            let texts = vec!["{self}", format!("{{self}} {self:>8}",)];
            let value = { self.value + self::module::g() };
            Self::call(self)
        });
        let expected = quote! {
            println!("{} {this:?} {x}", this.x, x = this.f(self::module::g));
            write!(out, "{this}{{self}}{{{this}}}")?;
            assert_eq!("{self}", this.name, "of {this} {}", "{self}");
            tracing::info!(target: "{self}", name = "{self}", id = 3, "done: {this}");
            let texts = vec!["{self}", format!("{{self}} {this:>8}", )];
            let value = { this.value + self::module::g() };
            Self::call(this)
        };
        assert_eq!(renamed(&block), expected.to_string());
    }

    #[test]
    fn the_self_type_of_an_inner_item_is_not_ours() {
        let inner = parse_quote!(
            async fn f() {
                struct Local;
                impl Local {
                    fn new() -> Self {
                        Self
                    }
                }
                Local::new();
            }
        );
        assert!(!names_self_type(&inner));
        for function in [
            parse_quote!(
                async fn f() -> Option<Self> {}
            ),
            parse_quote!(
                async fn f() {
                    Self::g()
                }
            ),
            parse_quote!(
                async fn f() {
                    println!("{}", Self::NAME)
                }
            ),
        ] {
            assert!(names_self_type(&function));
        }
    }

    #[test]
    fn items_keep_their_own_self() {
        let block = parse_quote!({
            struct Local;
            impl Local {
                fn get(&self) -> u32 {
                    self.0
                }
            }
            helper! { fn f(&self) { self.g() } }
            self.0
        });
        let text = renamed(&block);
        assert!(text.contains("self . 0 } }"), "{text}");
        assert!(text.contains("self . g ()"), "{text}");
        assert!(text.ends_with("this . 0"), "{text}");
    }
}
