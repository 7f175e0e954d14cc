//! The template that an expression was meant to be, to be shown in an error: `format!("user:{id}")` is `user:<id>`.

use proc_macro2::TokenStream;
use syn::parse::Parser as _;
use syn::punctuated::Punctuated;
use syn::{Expr, ExprGroup, ExprLit, ExprMethodCall, ExprParen, ExprReference, Lit, Member, Token};

/// `None` where it cannot be written as a template.
pub(super) fn as_template(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Group(ExprGroup { expr, .. })
        | Expr::Paren(ExprParen { expr, .. })
        | Expr::Reference(ExprReference { expr, .. }) => as_template(expr),
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
        Expr::Macro(call) if call.mac.path.is_ident("format") => of_format(call.mac.tokens.clone()),
        Expr::MethodCall(call) if gives_text(call) => as_template(&call.receiver),
        _ => placeholder(expr).map(|path| format!("<{path}>")),
    }
}

/// Calls that change a text's type and not the text.
fn gives_text(call: &ExprMethodCall) -> bool {
    let method = call.method.to_string();
    call.args.is_empty()
        && ["to_string", "to_owned", "into", "as_str", "as_ref", "clone"].contains(&method.as_str())
}

/// What stands between `<` and `>`: an argument, then fields and methods without arguments.
fn placeholder(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Path(path) => {
            let name = path.path.get_ident()?.to_string();
            // A constant is no argument.
            (!name.starts_with(char::is_uppercase)).then_some(name)
        }
        Expr::Field(field) => {
            let base = placeholder(&field.base)?;
            Some(match &field.member {
                Member::Named(name) => format!("{base}.{name}"),
                Member::Unnamed(index) => format!("{base}.{}", index.index),
            })
        }
        Expr::MethodCall(call) if gives_text(call) => placeholder(&call.receiver),
        Expr::MethodCall(call) if call.args.is_empty() && call.turbofish.is_none() => {
            Some(format!("{}.{}()", placeholder(&call.receiver)?, call.method))
        }
        Expr::Reference(reference) => placeholder(&reference.expr),
        _ => None,
    }
}

fn of_format(tokens: TokenStream) -> Option<String> {
    let all = Punctuated::<Expr, Token![,]>::parse_terminated.parse2(tokens).ok()?;
    let mut all = all.into_iter();
    let Some(Expr::Lit(ExprLit { lit: Lit::Str(text), .. })) = all.next() else {
        return None;
    };
    let arguments: Vec<Expr> = all.collect();
    let text = text.value();
    let (mut template, mut rest, mut next) = (String::new(), text.as_str(), 0);
    while let Some(at) = rest.find(['{', '}']) {
        template += &rest[..at];
        let found = &rest[at..];
        if found.starts_with("{{") || found.starts_with("}}") {
            template += &found[..1];
            rest = &found[2..];
            continue;
        }
        let inner = found.strip_prefix('{')?;
        let end = inner.find('}')?;
        template += &format!("<{}>", argument(inner[..end].split(':').next()?, &arguments, &mut next)?);
        rest = &inner[end + 1..];
    }
    Some(template + rest)
}

/// What `{name}`, `{0}` or `{}` stands for.
fn argument(name: &str, arguments: &[Expr], next: &mut usize) -> Option<String> {
    if name.is_empty() {
        *next += 1;
        return placeholder(arguments.get(*next - 1)?);
    }
    if let Ok(index) = name.parse::<usize>() {
        return placeholder(arguments.get(index)?);
    }
    let given = arguments.iter().find_map(|argument| match argument {
        Expr::Assign(assign) => {
            matches!(&*assign.left, Expr::Path(path) if path.path.is_ident(name)).then_some(&*assign.right)
        }
        _ => None,
    });
    match given {
        Some(expr) => placeholder(expr),
        None => Some(name.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;

    #[test]
    fn formats_become_templates() {
        let of = |expr: Expr| as_template(&expr);
        assert_eq!(of(parse_quote!(format!("user:{id}"))).as_deref(), Some("user:<id>"));
        assert_eq!(of(parse_quote!(&format!("user:{}", self.id()))).as_deref(), Some("user:<self.id()>"));
        assert_eq!(
            of(parse_quote!(format!("{1}:{0:>5}", user.id, pair.0))).as_deref(),
            Some("<pair.0>:<user.id>")
        );
        assert_eq!(of(parse_quote!(format!("{{tag}}:{n:?}", n = &id))).as_deref(), Some("{tag}:<id>"));
        assert_eq!(of(parse_quote!(id.to_string())).as_deref(), Some("<id>"));
        assert_eq!(of(parse_quote!("user".to_owned())).as_deref(), Some("user"));
    }

    #[test]
    fn what_is_no_template_becomes_none() {
        for expr in [
            parse_quote!(KEY),
            parse_quote!(key(id)),
            parse_quote!(format!(KEY)),
            parse_quote!(format!("{}")),
            parse_quote!(format!("{", id)),
        ] {
            assert_eq!(as_template(&expr), None, "{}", quote::quote!(#expr));
        }
    }
}
